//! Settings gathered from their sources, and read into types with errors that name the key.

use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use toml::{Table, Value};

/// Where settings come from.
pub struct Sources<'a> {
    /// The text of a TOML file.
    pub file: Option<&'a str>,
    /// Reads one variable of the environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Key and value of each flag that was given.
    pub flags: Vec<(&'static str, String)>,
    /// Sections and keys at the file's top level that belong to somebody else.
    pub foreign: &'a [&'a str],
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration file is not TOML: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error("{key} is not a setting; there are {known}")]
    UnknownKey { key: String, known: String },
    #[error("{key} = {value}{from} is not allowed: give {allowed}")]
    Wrong { key: &'static str, value: String, from: String, allowed: String },
}

#[derive(Debug)]
pub(super) struct Settings {
    found: BTreeMap<&'static str, (Value, Origin)>,
}

#[derive(Debug)]
enum Origin {
    File,
    Environment(String),
    Flag,
}

impl Settings {
    pub(super) fn gather(keys: &[&'static str], sources: &Sources<'_>) -> Result<Self, ConfigError> {
        let mut found = BTreeMap::new();
        if let Some(text) = sources.file {
            let mut table: Table = text.parse()?;
            table.retain(|key, _| !sources.foreign.contains(&key));
            flatten(String::new(), table, keys, &mut found)?;
        }
        for &key in keys {
            let name = format!("RAILGUN_{}", key.to_ascii_uppercase().replace('.', "_"));
            if let Some(value) = (sources.env)(&name) {
                found.insert(key, (Value::String(value), Origin::Environment(name)));
            }
        }
        for (key, value) in &sources.flags {
            found.insert(key, (Value::String(value.clone()), Origin::Flag));
        }
        Ok(Self { found })
    }

    pub(super) fn wrong(&self, key: &'static str, allowed: &str) -> ConfigError {
        let (value, from) = match self.found.get(key) {
            None => (String::from("nothing"), String::new()),
            Some((value, Origin::File)) => (value.to_string(), String::new()),
            Some((value, Origin::Environment(name))) => (value.to_string(), format!(" (from {name})")),
            Some((value, Origin::Flag)) => (value.to_string(), String::from(" (from a flag)")),
        };
        ConfigError::Wrong { key, value, from, allowed: allowed.into() }
    }

    pub(super) fn text(&self, key: &'static str) -> Result<Option<String>, ConfigError> {
        match self.found.get(key) {
            None => Ok(None),
            Some((Value::String(text), _)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(key, "a text")),
        }
    }

    /// A value written as it is displayed: an address, a number, `true` or `false`.
    pub(super) fn parsed<T: FromStr>(
        &self,
        key: &'static str,
        allowed: &str,
    ) -> Result<Option<T>, ConfigError> {
        let text = match self.found.get(key) {
            None => return Ok(None),
            Some((Value::String(text), _)) => text.clone(),
            Some((Value::Boolean(value), _)) => value.to_string(),
            Some((Value::Integer(value), _)) => value.to_string(),
            Some(_) => return Err(self.wrong(key, allowed)),
        };
        text.parse().map(Some).map_err(|_| self.wrong(key, allowed))
    }

    pub(super) fn one_of<T: Copy>(
        &self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, ConfigError> {
        let allowed = || choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let Some((value, _)) = self.found.get(key) else { return Ok(None) };
        let choice = choices.iter().find(|(name, _)| value.as_str() == Some(*name));
        choice
            .map(|(_, choice)| Some(*choice))
            .ok_or_else(|| self.wrong(key, &format!("one of {}", allowed())))
    }

    /// A list in the file; in the environment or a flag, separated by commas.
    pub(super) fn list(&self, key: &'static str, allowed: &str) -> Result<Option<Vec<String>>, ConfigError> {
        match self.found.get(key) {
            Some((Value::String(text), _)) => Ok(Some(
                text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect(),
            )),
            _ => self.read(key, allowed),
        }
    }

    /// A structured value; only the file can hold one.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        key: &'static str,
        allowed: &str,
    ) -> Result<Option<T>, ConfigError> {
        let Some((value, _)) = self.found.get(key) else { return Ok(None) };
        value.clone().try_into().map(Some).map_err(|_| self.wrong(key, allowed))
    }
}

fn flatten(
    prefix: String,
    table: Table,
    keys: &[&'static str],
    found: &mut BTreeMap<&'static str, (Value, Origin)>,
) -> Result<(), ConfigError> {
    for (name, value) in table {
        let path = format!("{prefix}{name}");
        match (keys.iter().find(|key| **key == path), value) {
            (Some(key), value) => {
                found.insert(key, (value, Origin::File));
            }
            (None, Value::Table(inner)) => flatten(format!("{path}."), inner, keys, found)?,
            (None, _) => return Err(ConfigError::UnknownKey { key: path, known: keys.join(", ") }),
        }
    }
    Ok(())
}
