//! `--config` and the TOML file behind it, alike in every program.

use crate::gather::SettingsError;
use clap::{Arg, ArgAction, ArgMatches};
use std::path::Path;
use toml::Table;

/// `--config` and `--check-config`.
pub fn file_flags() -> [Arg; 2] {
    [
        Arg::new("config")
            .long("config")
            .env("RAILGUN_CONFIG")
            .value_name("FILE")
            .help("TOML file of the settings below"),
        Arg::new("check-config").long("check-config").action(ArgAction::SetTrue).help(
            "Read the configuration and every file it names, say what holds and what is wrong, and end",
        ),
    ]
}

/// The file that `--config` names; nothing where it names none.
pub fn read_file(flags: &ArgMatches) -> Result<Table, SettingsError> {
    match flags.get_one::<String>("config") {
        None => Ok(Table::new()),
        Some(path) => read(Path::new(path)),
    }
}

fn read(path: &Path) -> Result<Table, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| SettingsError::Unreadable { path: path.into(), error: error.to_string() })?;
    text.parse().map_err(|error: toml::de::Error| SettingsError::NotToml {
        path: path.into(),
        error: error.to_string().trim_end().to_owned(),
    })
}
