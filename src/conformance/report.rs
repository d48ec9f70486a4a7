//! The report of a run: the outcome of each case.

use std::fmt;

use super::api::Api;

/// The outcome of one case on one API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The store keeps the promise.
    Passed,
    /// The store breaks the promise; the text says how.
    Failed(String),
    /// The case did not run: the subject lacks what it needs, and did not waive that.
    Skipped(String),
    /// The case did not run: the subject waived it, for this reason.
    Waived(String),
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportLine {
    /// The name of the case.
    pub case: &'static str,
    /// The API that the case used.
    pub api: Api,
    /// The outcome.
    pub outcome: Outcome,
}

/// The outcomes of all cases on all APIs. `Display` prints a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Report {
    /// One line for each case and API.
    pub lines: Vec<ReportLine>,
}

impl Report {
    /// Returns the names of the cases that failed on any API.
    #[must_use]
    pub fn failed(&self) -> Vec<&'static str> {
        self.names(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// Returns the names of the cases that were skipped on any API.
    #[must_use]
    pub fn skipped(&self) -> Vec<&'static str> {
        self.names(|outcome| matches!(outcome, Outcome::Skipped(_)))
    }

    /// Returns the names of the cases that passed on any API.
    #[must_use]
    pub fn passed(&self) -> Vec<&'static str> {
        self.names(|outcome| *outcome == Outcome::Passed)
    }

    /// Panics with the table if a case failed.
    pub fn assert_passed(&self) {
        assert!(self.failed().is_empty(), "{self}");
    }

    /// Panics with the table if a case failed or was skipped, or if none ran.
    ///
    /// Waived cases are allowed; the table lists them.
    pub fn assert_complete(&self) {
        self.assert_passed();
        assert!(self.skipped().is_empty(), "{self}");
        assert!(!self.passed().is_empty(), "no case ran");
    }

    fn names(&self, is_counted: impl Fn(&Outcome) -> bool) -> Vec<&'static str> {
        let lines = self.lines.iter().filter(|line| is_counted(&line.outcome));
        let mut names: Vec<_> = lines.map(|line| line.case).collect();
        names.dedup();
        names
    }

    fn count(&self, is_counted: impl Fn(&Outcome) -> bool) -> usize {
        self.lines
            .iter()
            .filter(|line| is_counted(&line.outcome))
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
        let api = self.api.to_string();
        let (word, why) = match &self.outcome {
            Outcome::Passed => ("passed", ""),
            Outcome::Failed(why) => ("FAILED", why.as_str()),
            Outcome::Skipped(why) => ("skipped", why.as_str()),
            Outcome::Waived(why) => ("waived", why.as_str()),
        };
        write!(f, "{word:8} {api:9} {}", self.case)?;
        if !why.is_empty() {
            write!(f, ": {why}")?;
        }
        Ok(())
    }
}
