//! Settings gathered from their sources, and read into types with errors that name the key.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;
use toml::{Table, Value};

/// Where settings come from.
pub struct Sources<'a> {
    /// The content of a TOML file.
    pub file: Table,
    /// Reads one variable of the environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Key and value of each flag that was given.
    pub flags: Vec<(&'static str, String)>,
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("flags", &self.flags).finish_non_exhaustive()
    }
}

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("{key} is not a setting; there are {known}")]
    UnknownKey { key: String, known: String },
    #[error("{key} = {value}{from} is not allowed: give {allowed}")]
    Wrong { key: &'static str, value: String, from: String, allowed: String },
}

#[derive(Debug)]
pub(super) struct Settings {
    found: BTreeMap<&'static str, Found>,
}

#[derive(Debug)]
struct Found {
    value: Value,
    /// For people, as " (from …)"; empty for the file.
    from: String,
}

impl Settings {
    pub(super) fn gather(keys: &[&'static str], sources: &Sources<'_>) -> Result<Self, ConfigError> {
        let mut found = BTreeMap::new();
        flatten("", &sources.file, keys, &mut found)?;
        for &key in keys {
            let name = format!("RAILGUN_{}", key.to_ascii_uppercase().replace('.', "_"));
            let alias = (key == "announced_address").then_some("MEDIASOUP_ANNOUNCED_IP");
            let names = [Some(name.as_str()), alias];
            let set = names.into_iter().flatten().find_map(|name| Some((name, (sources.env)(name)?)));
            if let Some((name, text)) = set {
                found.insert(key, Found { value: Value::String(text), from: format!(" (from {name})") });
            }
        }
        for (key, text) in &sources.flags {
            let from = " (from a flag)".into();
            found.insert(key, Found { value: Value::String(text.clone()), from });
        }
        Ok(Self { found })
    }

    pub(super) fn wrong(&self, key: &'static str, allowed: &str) -> ConfigError {
        let (value, from) = match self.found.get(key) {
            None => ("nothing".into(), String::new()),
            Some(found) => (found.value.to_string(), found.from.clone()),
        };
        ConfigError::Wrong { key, value, from, allowed: allowed.into() }
    }

    fn get(&self, key: &'static str) -> Option<&Value> {
        self.found.get(key).map(|found| &found.value)
    }

    pub(super) fn text(&self, key: &'static str) -> Result<Option<String>, ConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(key, "a text")),
        }
    }

    /// A value written as it is displayed: an address, a number, `true` or `false`.
    pub(super) fn parsed<T: FromStr>(
        &self,
        key: &'static str,
        allowed: &str,
    ) -> Result<Option<T>, ConfigError> {
        let text = match self.get(key) {
            None => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(value @ (Value::Boolean(_) | Value::Integer(_))) => value.to_string(),
            Some(_) => return Err(self.wrong(key, allowed)),
        };
        text.parse().map(Some).map_err(|_| self.wrong(key, allowed))
    }

    /// A list in the file; anywhere, a text of values separated by commas.
    pub(super) fn parsed_list<T: FromStr>(
        &self,
        key: &'static str,
        allowed: &str,
    ) -> Result<Option<Vec<T>>, ConfigError> {
        let items: Option<Vec<&str>> = match self.get(key) {
            None => return Ok(None),
            Some(Value::String(text)) => Some(text.split(',').map(str::trim).collect()),
            Some(Value::Array(items)) => items.iter().map(Value::as_str).collect(),
            Some(_) => None,
        };
        let parsed = items.and_then(|items| items.into_iter().map(|item| item.parse().ok()).collect());
        parsed.map(Some).ok_or_else(|| self.wrong(key, allowed))
    }

    pub(super) fn one_of<T: Copy>(
        &self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let choice = choices.iter().find(|(name, _)| value.as_str() == Some(*name));
        let names = || choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        choice.map(|(_, choice)| Some(*choice)).ok_or_else(|| self.wrong(key, &format!("one of {}", names())))
    }
}

fn flatten(
    prefix: &str,
    table: &Table,
    keys: &[&'static str],
    found: &mut BTreeMap<&'static str, Found>,
) -> Result<(), ConfigError> {
    for (name, value) in table {
        let path = format!("{prefix}{name}");
        match (keys.iter().find(|key| **key == path), value) {
            (Some(key), value) => {
                found.insert(key, Found { value: value.clone(), from: String::new() });
            }
            (None, Value::Table(inner)) => flatten(&format!("{path}."), inner, keys, found)?,
            (None, _) => return Err(ConfigError::UnknownKey { key: path, known: keys.join(", ") }),
        }
    }
    Ok(())
}
