//! Lines of fields: the Lua text that parses and writes a line is made from the table of its
//! fields.

/// A line of fields with a space between them.
pub struct Line {
    /// What stands before the fields: a version and a space, or nothing.
    pub start: &'static str,
    pub fields: &'static [Field],
}

pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
}

/// What a field holds, and what a script makes of it.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Digits; a script keeps them as text.
    Number,
    /// Text without a space.
    Word,
    /// A deadline; a script makes it a number, and `NEVER` of a `0`.
    Deadline,
    /// An instant; a script makes it a number.
    Instant,
    /// All that is left of the line, spaces as well.
    Rest,
}

impl Line {
    /// The Lua variables of all fields, `prefix_name` each.
    pub fn names(&self, prefix: &str) -> String {
        self.join(", ", |field| format!("{prefix}_{}", field.name))
    }

    /// The Lua pattern that matches a line and captures its fields.
    pub fn pattern(&self) -> String {
        // Lua matches a class of a set faster than %d and %S, which depend on the server's locale.
        let fields = self.join(" ", |field| {
            let pattern = match field.kind {
                Kind::Number | Kind::Deadline | Kind::Instant => "([0-9]+)",
                Kind::Word => "([^ ]+)",
                Kind::Rest => "(.*)",
            };
            pattern.to_owned()
        });
        format!("'^{}{fields}$'", self.start)
    }

    /// The Lua expression that writes a line from the variables of its fields, which hold text.
    pub fn text(&self, prefix: &str) -> String {
        self.concatenated(|field| format!("{prefix}_{}", field.name))
    }

    /// The fields of a Lua table that is made from the variables of [`Line::names`].
    pub fn unpacked(&self, prefix: &str) -> String {
        self.join(", ", |Field { name, kind }| {
            let text = format!("{prefix}_{name}");
            match kind {
                Kind::Deadline => format!("{name} = {text} == '0' and NEVER or tonumber({text})"),
                Kind::Instant => format!("{name} = tonumber({text})"),
                Kind::Number | Kind::Word | Kind::Rest => format!("{name} = {text}"),
            }
        })
    }

    /// The Lua expression that writes a line from a table as [`Line::unpacked`] makes it.
    pub fn packed(&self, table: &str) -> String {
        self.concatenated(|Field { name, kind }| {
            let value = format!("{table}.{name}");
            match kind {
                Kind::Deadline => format!("({value} == NEVER and '0' or text({value}))"),
                Kind::Instant => format!("({value} == 0 and '0' or text({value}))"),
                Kind::Number | Kind::Word | Kind::Rest => value,
            }
        })
    }

    fn join(&self, separator: &str, each: impl Fn(&Field) -> String) -> String {
        let fields: Vec<_> = self.fields.iter().map(each).collect();
        fields.join(separator)
    }

    fn concatenated(&self, each: impl Fn(&Field) -> String) -> String {
        let fields = self.join(" .. ' ' .. ", each);
        match self.start {
            "" => fields,
            start => format!("'{start}' .. {fields}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Line = Line {
        start: "3 ",
        fields: &[
            Field {
                name: "count",
                kind: Kind::Number,
            },
            Field {
                name: "ends",
                kind: Kind::Deadline,
            },
            Field {
                name: "of",
                kind: Kind::Rest,
            },
        ],
    };

    #[test]
    fn the_lua_text_follows_the_table() {
        assert_eq!(LINE.names("a"), "a_count, a_ends, a_of");
        assert_eq!(LINE.pattern(), "'^3 ([0-9]+) ([0-9]+) (.*)$'");
        assert_eq!(
            LINE.text("a"),
            "'3 ' .. a_count .. ' ' .. a_ends .. ' ' .. a_of"
        );
        assert_eq!(
            LINE.unpacked("a"),
            "count = a_count, ends = a_ends == '0' and NEVER or tonumber(a_ends), of = a_of"
        );
        assert_eq!(
            LINE.packed("t"),
            "'3 ' .. t.count .. ' ' .. (t.ends == NEVER and '0' or text(t.ends)) .. ' ' .. t.of"
        );
    }
}
