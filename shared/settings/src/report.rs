//! What `check-config` found, in sentences.

use std::fmt;

/// One sentence about a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Finding {
    Holds(String),
    Doubtful(String),
    Wrong(String),
}

/// What holds, what is doubtful and what is wrong.
#[derive(Clone, Debug, Default)]
pub struct Report(Vec<Finding>);

impl Report {
    /// Adds what holds.
    pub fn holds(&mut self, what: impl Into<String>) {
        self.0.push(Finding::Holds(what.into()));
    }

    /// Adds what may be meant and probably is not.
    pub fn doubts(&mut self, what: impl Into<String>) {
        self.0.push(Finding::Doubtful(what.into()));
    }

    /// Adds what a start would be refused for, or cannot work.
    pub fn wrong(&mut self, what: impl Into<String>) {
        self.0.push(Finding::Wrong(what.into()));
    }

    /// Adds what was found, or why it was not.
    pub fn of<E: fmt::Display>(&mut self, found: Result<String, E>) {
        match found {
            Ok(what) => self.holds(what),
            // All of an error's causes, where it has any.
            Err(error) => self.wrong(format!("{error:#}")),
        }
    }

    /// Adds everything that another one has.
    pub fn with(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether a start would be refused.
    pub fn is_wrong(&self) -> bool {
        self.0.iter().any(|finding| matches!(finding, Finding::Wrong(_)))
    }

    /// What is doubtful.
    pub fn doubtful(&self) -> impl Iterator<Item = &str> {
        self.all(|finding| match finding {
            Finding::Doubtful(what) => Some(what),
            _ => None,
        })
    }

    /// What is wrong.
    pub fn wrongs(&self) -> impl Iterator<Item = &str> {
        self.all(|finding| match finding {
            Finding::Wrong(what) => Some(what),
            _ => None,
        })
    }

    /// What holds.
    pub fn held(&self) -> impl Iterator<Item = &str> {
        self.all(|finding| match finding {
            Finding::Holds(what) => Some(what),
            _ => None,
        })
    }

    fn all(&self, of: fn(&Finding) -> Option<&String>) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(move |finding| of(finding).map(String::as_str))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.0 {
            let (word, what) = match finding {
                Finding::Holds(what) => ("ok", what),
                Finding::Doubtful(what) => ("warning", what),
                Finding::Wrong(what) => ("wrong", what),
            };
            writeln!(f, "{word:<8} {what}")?;
        }
        match self.is_wrong() {
            false => f.write_str("the configuration is good"),
            true => f.write_str("the configuration is not good"),
        }
    }
}
