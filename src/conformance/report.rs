//! What came of a run.

use std::fmt;

use super::case::Face;

/// What became of one case on one face.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The store keeps the promise.
    Passed,
    /// The store breaks the promise, in this way.
    Failed(String),
    /// The subject lacks something that the case needs; nobody said that it may.
    Skipped(String),
    /// The subject said that it does not promise this, and why.
    Waived(String),
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportLine {
    /// The name of the case.
    pub case: &'static str,
    /// The face that it used.
    pub face: Face,
    /// What became of it.
    pub outcome: Outcome,
}

/// The outcomes of all cases on all faces. Its `Display` is a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Report {
    /// One line for each case and face.
    pub lines: Vec<ReportLine>,
}

impl Report {
    /// The names of the cases that failed on any face.
    #[must_use]
    pub fn failed(&self) -> Vec<&'static str> {
        self.names(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// The names of the cases that were skipped on any face.
    #[must_use]
    pub fn skipped(&self) -> Vec<&'static str> {
        self.names(|outcome| matches!(outcome, Outcome::Skipped(_)))
    }

    /// The names of the cases that passed on any face.
    #[must_use]
    pub fn passed(&self) -> Vec<&'static str> {
        self.names(|outcome| *outcome == Outcome::Passed)
    }

    /// Panics with the table if any case failed.
    pub fn assert_passed(&self) {
        assert!(self.failed().is_empty(), "{self}");
    }

    /// Panics with the table if any case failed or was skipped, or if none ran.
    ///
    /// Cases that the subject waived are allowed; the table names them.
    pub fn assert_complete(&self) {
        self.assert_passed();
        assert!(self.skipped().is_empty(), "{self}");
        assert!(!self.passed().is_empty(), "no case ran");
    }

    fn names(&self, is_meant: impl Fn(&Outcome) -> bool) -> Vec<&'static str> {
        let meant = self.lines.iter().filter(|line| is_meant(&line.outcome));
        let mut names: Vec<_> = meant.map(|line| line.case).collect();
        names.dedup();
        names
    }

    fn count(&self, is_meant: impl Fn(&Outcome) -> bool) -> usize {
        self.lines
            .iter()
            .filter(|line| is_meant(&line.outcome))
            .count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        let passed = self.count(|outcome| *outcome == Outcome::Passed);
        let failed = self.count(|outcome| matches!(outcome, Outcome::Failed(_)));
        let skipped = self.count(|outcome| matches!(outcome, Outcome::Skipped(_)));
        let waived = self.count(|outcome| matches!(outcome, Outcome::Waived(_)));
        write!(
            f,
            "{passed} passed, {failed} failed, {skipped} skipped, {waived} waived"
        )
    }
}

impl fmt::Display for ReportLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let face = self.face.to_string();
        let (word, why) = match &self.outcome {
            Outcome::Passed => ("passed", ""),
            Outcome::Failed(why) => ("FAILED", why.as_str()),
            Outcome::Skipped(why) => ("skipped", why.as_str()),
            Outcome::Waived(why) => ("waived", why.as_str()),
        };
        write!(f, "{word:8} {face:9} {}", self.case)?;
        if !why.is_empty() {
            write!(f, ": {why}")?;
        }
        Ok(())
    }
}
