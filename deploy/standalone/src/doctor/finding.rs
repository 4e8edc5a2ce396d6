//! What was found.

use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// Of one question to a server.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(4);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Doubtful,
    Fault,
}

#[derive(Debug)]
struct Finding {
    verdict: Verdict,
    /// What was looked at, as one word for programs.
    check: &'static str,
    what: String,
    mend: String,
}

#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn good(&mut self, check: &'static str, what: impl Into<String>) {
        self.add(Verdict::Good, check, what.into(), String::new());
    }

    /// What may be meant, and mostly is not.
    pub(super) fn doubt(&mut self, check: &'static str, what: impl Into<String>, mend: impl Into<String>) {
        self.add(Verdict::Doubtful, check, what.into(), mend.into());
    }

    pub(super) fn fault(&mut self, check: &'static str, what: impl Into<String>, mend: impl Into<String>) {
        self.add(Verdict::Fault, check, what.into(), mend.into());
    }

    pub(super) fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    fn add(&mut self, verdict: Verdict, check: &'static str, what: String, mend: String) {
        // A server's words go to a terminal.
        let what = what.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.0.push(Finding { verdict, check, what, mend });
    }

    pub(super) fn has_fault(&self) -> bool {
        self.0.iter().any(|of| of.verdict == Verdict::Fault)
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.0.iter().filter(|of| of.verdict == verdict).count()
    }

    pub(super) fn to_json(&self) -> Value {
        let word = |verdict| match verdict {
            Verdict::Good => "good",
            Verdict::Doubtful => "doubtful",
            Verdict::Fault => "fault",
        };
        let all = self.0.iter().map(
            |of| json!({ "check": of.check, "verdict": word(of.verdict), "what": of.what, "mend": of.mend }),
        );
        json!({ "faults": self.count(Verdict::Fault), "findings": all.collect::<Vec<_>>() })
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { verdict, check, what, mend } in &self.0 {
            let word = match verdict {
                Verdict::Good => "good",
                Verdict::Doubtful => "doubtful",
                Verdict::Fault => "FAULT",
            };
            writeln!(f, "{word:<9}{check:<14} {what}")?;
            if !mend.is_empty() {
                writeln!(f, "{:<24}→ {mend}", "")?;
            }
        }
        match (self.count(Verdict::Fault), self.count(Verdict::Doubtful)) {
            (0, 0) => f.write_str("nothing is wrong"),
            (0, doubtful) => write!(f, "nothing is wrong; {doubtful} doubtful"),
            (faults, doubtful) => write!(f, "{faults} wrong, {doubtful} doubtful"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_words_cannot_steer_a_terminal() {
        let mut findings = Findings::default();
        findings.fault("ready", "\u{1b}[2Jnothing is wrong\r\nFAULT", "");
        let told = findings.to_string();
        assert!(!told.contains(['\u{1b}', '\r']) && told.lines().count() == 2, "{told:?}");
    }
}
