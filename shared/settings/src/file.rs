//! `--config` and the TOML file behind it, alike in every program.

use crate::gather::{SettingsError, Sources, check_environment, variables};
use crate::table::Program;
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

impl Sources<'static> {
    /// Those of a process: the file that `--config` names, its environment and its flags. Fails for a variable that
    /// begins as ours do and that nothing reads.
    pub fn of_process(program: Program, flags: &ArgMatches) -> Result<Self, SettingsError> {
        check_environment(program, variables())?;
        Ok(Self {
            file: read_file(flags)?,
            env: &|name| std::env::var(name).ok(),
            flags: program.given(flags),
        })
    }
}

/// The file that `--config` names; nothing where it names none.
pub fn read_file(flags: &ArgMatches) -> Result<Table, SettingsError> {
    match flags.get_one::<String>("config") {
        None => Ok(Table::new()),
        Some(path) => read_table(Path::new(path)),
    }
}

/// The TOML file at this path.
pub fn read_table(path: &Path) -> Result<Table, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| SettingsError::Unreadable { path: path.into(), error: error.to_string() })?;
    text.parse().map_err(|error: toml::de::Error| SettingsError::NotToml {
        path: path.into(),
        error: error.to_string().trim_end().to_owned(),
    })
}
