//! The tables of docs/redis-layout.md.

const DOCUMENT: &str = include_str!("../../docs/redis-layout.md");

/// A row of the document's table of keys.
pub struct Row {
    pub pattern: &'static str,
    pub kind: &'static str,
    pub expires: &'static str,
}

/// The table of keys under a heading.
pub fn keys_of(heading: &str) -> Vec<Row> {
    let heading = format!("\n{heading}\n");
    let (_before, section) = DOCUMENT.split_once(heading.as_str()).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let lines = section.lines().filter(|line| line.starts_with("| `{ns}:"));
    let rows = lines.map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        Row {
            pattern: cells[1].trim_matches('`'),
            kind: cells[2],
            expires: cells[3],
        }
    });
    rows.collect()
}

impl Row {
    /// Whether the pattern matches this key, given without the namespace.
    pub fn matches(&self, rest: &str) -> bool {
        matches(self.pattern.strip_prefix("{ns}:").unwrap(), rest)
    }

    /// Whether the pattern matches this key of a Cluster, given without the namespace and the owner's tag.
    pub fn matches_behind_tag(&self, rest: &str) -> bool {
        let behind = self.pattern.strip_prefix("{ns}:{<owner>}:");
        behind.is_some_and(|pattern| matches(pattern, rest))
    }

    /// Whether the key expires, by the column "expires", given whether its sessions do.
    pub fn ends(&self, sessions_end: bool) -> bool {
        match self.expires {
            "with the session" | "with the last wait" | "after the session" => sessions_end,
            "with the last deadline" => sessions_end,
            "with the last id" | "with the last reply" => true,
            "after a minute" | "when the next is due" => true,
            "never" => false,
            other => panic!(
                "the document does not say when {} ends: {other}",
                self.pattern
            ),
        }
    }
}

/// `{key}` and `{owner}` match anything, every other name a part without a colon.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((literal, rest)) = pattern.split_once('{') else {
        return pattern == text;
    };
    let (name, rest) = rest.split_once('}').unwrap();
    let Some(text) = text.strip_prefix(literal) else {
        return false;
    };
    if name == "key" || name == "owner" {
        return rest.is_empty() && !text.is_empty();
    }
    let end = text.find(':').unwrap_or(text.len());
    end > 0 && matches(rest, &text[end..])
}
