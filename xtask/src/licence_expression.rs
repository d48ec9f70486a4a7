//! Licence expressions, such as `(MIT OR Apache-2.0) AND Unicode-3.0`.

/// Whether the expression can be met with allowed licences alone: one side of each OR, both
/// sides of each AND. What cannot be read is not met.
pub fn is_met(expression: &str, allowed: &[&str]) -> bool {
    // An older notation for OR.
    let text = expression.replace('/', " OR ");
    let text = text.replace('(', " ( ").replace(')', " ) ");
    let mut parser = Parser {
        words: text.split_whitespace().collect(),
        allowed,
    };
    parser.words.reverse();
    parser.any_of() == Some(true) && parser.words.is_empty()
}

// The words still to be read stand in reverse: the next one is the last.
struct Parser<'a> {
    words: Vec<&'a str>,
    allowed: &'a [&'a str],
}

impl Parser<'_> {
    fn any_of(&mut self) -> Option<bool> {
        let mut met = self.all_of()?;
        while self.takes("OR") {
            met |= self.all_of()?;
        }
        Some(met)
    }

    fn all_of(&mut self) -> Option<bool> {
        let mut met = self.one()?;
        while self.takes("AND") {
            met &= self.one()?;
        }
        Some(met)
    }

    fn one(&mut self) -> Option<bool> {
        if self.takes("(") {
            let met = self.any_of()?;
            return self.takes(")").then_some(met);
        }
        let name = self.words.pop()?;
        if !self.takes("WITH") {
            return Some(self.allowed.contains(&name));
        }
        let name = format!("{name} WITH {}", self.words.pop()?);
        Some(self.allowed.contains(&name.as_str()))
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = self.words.last() == Some(&word);
        if found {
            self.words.pop();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::is_met;

    const ALLOWED: &[&str] = &["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];

    #[test]
    fn an_allowed_way_out_is_enough() {
        for expression in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "MIT AND ISC",
            "GPL-3.0 AND BSD OR MIT",
            "(GPL-3.0 OR MIT) AND ISC",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
        ] {
            assert!(is_met(expression, ALLOWED), "{expression}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for expression in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR ISC) AND GPL-3.0",
            "Apache-2.0",
            "MIT WITH LLVM-exception",
            "MIT OR",
            "(MIT",
            "MIT ISC",
        ] {
            assert!(!is_met(expression, ALLOWED), "{expression}");
        }
    }
}
