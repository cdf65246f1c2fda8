//! Counting tests and summing up.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

/// How many passed and how many failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl Count {
    /// Reads the line in which nextest, the built-in runner, Node (TAP) or vitest sums up; any other line counts nothing.
    pub(crate) fn read(line: &str) -> Self {
        let line = without_colour(line);
        // Nextest indents what a failing test printed, the built-in runner's own sum among it.
        let is_own = line.starts_with("test result:");
        let line = line.trim();
        if let Some(passed) = line.strip_prefix("# pass ") {
            return Self {
                passed: passed.parse().unwrap_or(0),
                failed: 0,
            };
        }
        if let Some(failed) = line.strip_prefix("# fail ") {
            return Self {
                passed: 0,
                failed: failed.parse().unwrap_or(0),
            };
        }
        let is_vitest = line.starts_with("Tests ") && line.ends_with(')');
        let is_nextest = line.starts_with("Summary [") && line.contains(" run:");
        let sums_up = is_own || is_vitest || is_nextest;
        if !sums_up {
            return Self::default();
        }
        let before = |word: &str| {
            let numbers = line
                .split([' ', ';', ',', '|'])
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>();
            let at = numbers.iter().position(|part| *part == word)?;
            numbers.get(at.checked_sub(1)?)?.parse().ok()
        };
        let failed = ["failed", "timed", "exec"]
            .into_iter()
            .filter_map(before)
            .sum();
        Self {
            passed: before("passed").unwrap_or(0),
            failed,
        }
    }
}

fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}

/// What became of one check.
#[derive(Debug)]
pub(crate) enum Outcome {
    Passed(Count),
    Failed(Count),
    /// It could not run, and why; this fails the whole unless the check is an optional one.
    Missing(&'static str),
    /// A tool that is welcome but not needed is not there.
    Skipped(&'static str),
}

/// All checks that ran, in order.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<(&'static str, Outcome, Duration)>,
}

impl Report {
    pub(crate) fn add(&mut self, name: &'static str, outcome: Outcome, took: Duration) {
        self.rows.push((name, outcome, took));
    }

    /// Tests as they were counted; a check that is no test run counts as one.
    pub(crate) fn total(&self) -> Count {
        let mut total = Count::default();
        for (_, outcome, _) in &self.rows {
            total += match outcome {
                Outcome::Passed(count) if *count == Count::default() => Count {
                    passed: 1,
                    failed: 0,
                },
                Outcome::Passed(count) => *count,
                Outcome::Failed(count) => Count {
                    failed: count.failed.max(1),
                    ..*count
                },
                Outcome::Missing(_) => Count {
                    passed: 0,
                    failed: 1,
                },
                Outcome::Skipped(_) => Count::default(),
            };
        }
        total
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        for (name, outcome, took) in &self.rows {
            let seconds = took.as_secs();
            match outcome {
                Outcome::Passed(count) if count.passed > 0 => writeln!(
                    f,
                    "  ok       {name:<14} {seconds:>5} s   {} tests",
                    count.passed
                )?,
                Outcome::Passed(_) => writeln!(f, "  ok       {name:<14} {seconds:>5} s")?,
                Outcome::Failed(count) if count.failed > 0 => writeln!(
                    f,
                    "  FAILED   {name:<14} {seconds:>5} s   {} of {} tests",
                    count.failed,
                    count.passed + count.failed
                )?,
                Outcome::Failed(_) => writeln!(f, "  FAILED   {name:<14} {seconds:>5} s")?,
                Outcome::Missing(why) => writeln!(f, "  FAILED   {name:<14}           {why}")?,
                Outcome::Skipped(why) => writeln!(f, "  skipped  {name:<14}           {why}")?,
            }
        }
        let Count { passed, failed } = self.total();
        write!(f, "\n{passed} passed, {failed} failed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_runners_are_understood() {
        let counts = [
            (
                "     Summary [   0.732s] 14 tests run: 14 passed, 7 skipped",
                14,
                0,
            ),
            (
                "     Summary [   1.100s] 9/14 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 0 skipped",
                6,
                3,
            ),
            (
                "\u{1b}[32;1m     Summary\u{1b}[0m [   0.156s] \u{1b}[1m4\u{1b}[0m tests run: \u{1b}[1m4\u{1b}[0m passed",
                4,
                0,
            ),
            (
                "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 13 filtered out; finished in 0.00s",
                3,
                1,
            ),
            ("      Tests  1 failed | 14 passed (15)", 14, 1),
            ("      Tests  15 passed (15)", 15, 0),
            ("Tests do not sleep", 0, 0),
            ("# pass 3", 3, 0),
            ("# fail 2", 0, 2),
            (
                "        PASS [   0.005s] sync-core area::tests::five_passed",
                0,
                0,
            ),
        ];
        for (line, passed, failed) in counts {
            assert_eq!(Count::read(line), Count { passed, failed }, "{line}");
        }
    }

    #[test]
    fn a_check_that_fails_is_never_summed_up_as_none() {
        let mut report = Report::default();
        report.add("format", Outcome::Passed(Count::default()), Duration::ZERO);
        report.add("tests", Outcome::Failed(Count::default()), Duration::ZERO);
        report.add(
            "javascript",
            Outcome::Missing("needs Node 20 or newer"),
            Duration::ZERO,
        );
        report.add(
            "cargo-deny",
            Outcome::Skipped("not installed"),
            Duration::ZERO,
        );
        assert_eq!(
            report.total(),
            Count {
                passed: 1,
                failed: 2
            }
        );
        assert!(report.to_string().ends_with("1 passed, 2 failed"));
    }
}
