//! How every program logs, and what no log may hold, whatever `RUST_LOG` says.

use std::io::{self, IsTerminal};
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;

/// Crates whose details are the messages and headers they carry, tokens among them.
const CARRIERS: [&str; 5] = ["tungstenite", "tokio_tungstenite", "engineioxide", "socketioxide", "h2"];

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object for each line, for programs.
    Json,
}

impl LogFormat {
    /// Value of the setting `log.format` and what it stands for.
    pub const NAMED: [(&'static str, Self); 2] = [("text", Self::Text), ("json", Self::Json)];
}

/// Logs to standard error from now on: what `RUST_LOG` names, else `info`. Once a process.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Colours are for a terminal alone: in a file or a journal their escapes are noise.
    let ansi = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let discreet = filter_fn(|line| may_be_logged(line.target(), *line.level() > Level::INFO));
    let written = tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(io::stderr);
    let written = match format {
        LogFormat::Text => written.boxed(),
        LogFormat::Json => written.json().with_ansi(false).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(discreet).with(written).init();
}

/// Whether a line of this target (a module's path) may be logged; `is_detail`: it is below info.
pub fn may_be_logged(target: &str, is_detail: bool) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    !(is_detail && CARRIERS.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_of_what_carries_tokens_are_not_logged() {
        assert!(!may_be_logged("tungstenite::protocol", true));
        assert!(may_be_logged("tungstenite::protocol", false));
        assert!(may_be_logged("railgun_control::http::serve", true));
        assert!(may_be_logged("tungsteniteish", true));
    }
}
