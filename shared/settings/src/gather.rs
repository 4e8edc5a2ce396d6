//! Settings as their sources give them, and what can be wrong with one.

use crate::setting::{nearest, variable};
use crate::table::Program;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use toml::{Table, Value};

/// Where settings come from.
pub struct Sources<'a> {
    /// The content of the TOML file.
    pub file: Table,
    /// Reads one variable of the environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Key and value of each flag that was given.
    pub flags: Vec<(&'static str, String)>,
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The file of `--config` is not there, or not for us.
    #[error("--config {path} cannot be read: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        error: String,
    },
    /// It is no TOML.
    #[error("{path} is not TOML: {error}")]
    NotToml {
        /// The file.
        path: PathBuf,
        /// Line and column, and what is wrong there.
        error: String,
    },
    /// A key in the file that no setting has.
    #[error("{key} is not a setting{hint}")]
    UnknownKey {
        /// As it stands in the file, with its sections.
        key: String,
        /// The nearest key there is, or all of them, for the message.
        hint: String,
    },
    /// A variable of the environment that begins as ours do and that nothing reads.
    #[error("{variable} is not a setting{hint}")]
    UnknownVariable {
        /// Its name.
        variable: String,
        /// The nearest that there is, for the message.
        hint: String,
    },
    /// A value that cannot be read or is out of bounds.
    #[error("{key} = {value}{from} is not allowed: give {allowed}")]
    Wrong {
        /// Which setting.
        key: &'static str,
        /// Value that the setting was given.
        value: String,
        /// Where, as " (from …)"; empty for the file.
        from: String,
        /// What may be given instead.
        allowed: String,
    },
}

/// What the sources set, each value with where it came from.
#[derive(Debug)]
pub struct Settings {
    found: BTreeMap<&'static str, Found>,
}

#[derive(Debug)]
struct Found {
    value: Value,
    /// For people, as " (from …)"; empty for the file.
    from: String,
}

impl Settings {
    /// Only `keys` are settings. An alias is a key and another environment variable that is read
    /// where the key's own is not set.
    pub fn gather(
        keys: &[&'static str],
        aliases: &[(&'static str, &str)],
        sources: &Sources<'_>,
    ) -> Result<Self, SettingsError> {
        let mut found = BTreeMap::new();
        flatten("", &sources.file, keys, &mut found)?;
        for &key in keys {
            let own = variable(key);
            let others = aliases.iter().filter(|(of, _)| *of == key).map(|(_, name)| *name);
            let mut names = std::iter::once(own.as_str()).chain(others);
            if let Some((name, text)) = names.find_map(|name| Some((name, (sources.env)(name)?))) {
                found.insert(key, Found { value: Value::String(text), from: format!(" (from {name})") });
            }
        }
        for (key, text) in &sources.flags {
            let from = " (from a flag)".into();
            found.insert(key, Found { value: Value::String(text.clone()), from });
        }
        Ok(Self { found })
    }

    /// The error of a value that can be read and is not allowed all the same.
    pub fn wrong(&self, key: &'static str, allowed: &str) -> SettingsError {
        let (value, from) = match self.found.get(key) {
            None => ("nothing".into(), String::new()),
            Some(found) => (found.value.to_string(), found.from.clone()),
        };
        SettingsError::Wrong { key, value, from, allowed: allowed.into() }
    }

    fn get(&self, key: &'static str) -> Option<&Value> {
        self.found.get(key).map(|found| &found.value)
    }

    /// A text that is not empty.
    pub fn text(&self, key: &'static str) -> Result<Option<String>, SettingsError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(key, "a text")),
        }
    }

    /// A value written as it is displayed: an address, a number, `true` or `false`.
    pub fn parsed<T: FromStr>(&self, key: &'static str, allowed: &str) -> Result<Option<T>, SettingsError> {
        let text = match self.get(key) {
            None => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(value @ (Value::Boolean(_) | Value::Integer(_) | Value::Float(_))) => value.to_string(),
            Some(_) => return Err(self.wrong(key, allowed)),
        };
        text.parse().map(Some).map_err(|_| self.wrong(key, allowed))
    }

    /// [`Self::parsed`], or `off`, which is none in its place.
    pub fn parsed_or_off<T: FromStr>(
        &self,
        key: &'static str,
        allowed: &str,
    ) -> Result<Option<Option<T>>, SettingsError> {
        match self.get(key) {
            Some(Value::String(text)) if text == "off" => Ok(Some(None)),
            _ => Ok(self.parsed(key, allowed)?.map(Some)),
        }
    }

    /// A list in the file; anywhere, a text of values separated by commas.
    pub fn parsed_list<T: FromStr>(
        &self,
        key: &'static str,
        allowed: &str,
    ) -> Result<Option<Vec<T>>, SettingsError> {
        let items: Option<Vec<&str>> = match self.get(key) {
            None => return Ok(None),
            Some(Value::String(text)) => {
                Some(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect())
            }
            Some(Value::Array(items)) => items.iter().map(Value::as_str).collect(),
            Some(_) => None,
        };
        let parsed = items.and_then(|items| items.into_iter().map(|item| item.parse().ok()).collect());
        parsed.map(Some).ok_or_else(|| self.wrong(key, allowed))
    }

    /// Reads one of these words.
    pub fn one_of<T: Copy>(
        &self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, SettingsError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let choice = choices.iter().find(|(name, _)| value.as_str() == Some(*name));
        let names = || choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        choice.map(|(_, choice)| Some(*choice)).ok_or_else(|| self.wrong(key, &format!("one of {}", names())))
    }

    /// A structured value: TOML in the file, and as the text of a flag or variable.
    pub fn read<T: DeserializeOwned>(
        &self,
        key: &'static str,
        allowed: &str,
    ) -> Result<Option<T>, SettingsError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let value = match value {
            // From a flag or a variable.
            Value::String(text) => {
                format!("value = {text}").parse::<Table>().ok().and_then(|mut of| of.remove("value"))
            }
            value => Some(value.clone()),
        };
        let read = value.and_then(|value| value.try_into().ok());
        read.map(Some).ok_or_else(|| self.wrong(key, allowed))
    }
}

/// Fails if one of these variables begins as settings of `program` do and is none.
pub fn check_environment(
    program: Program,
    names: impl IntoIterator<Item = String>,
) -> Result<(), SettingsError> {
    let Some((variable, nearest)) = program.unknown_variable(names) else { return Ok(()) };
    let hint = match nearest.as_str() {
        "" => "; docs/configuration.md has them all".into(),
        nearest => format!(": is it {nearest}?"),
    };
    Err(SettingsError::UnknownVariable { variable, hint })
}

/// Names of this process' variables.
pub fn variables() -> impl Iterator<Item = String> {
    std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())
}

/// A table that is itself a setting is one value; any other is a section of settings.
fn flatten(
    prefix: &str,
    table: &Table,
    keys: &[&'static str],
    found: &mut BTreeMap<&'static str, Found>,
) -> Result<(), SettingsError> {
    for (name, value) in table {
        let path = format!("{prefix}{name}");
        match (keys.iter().find(|key| **key == path), value) {
            (Some(key), value) => {
                found.insert(key, Found { value: value.clone(), from: String::new() });
            }
            (None, Value::Table(inner)) => flatten(&format!("{path}."), inner, keys, found)?,
            (None, _) => {
                let hint = hint(&path, keys);
                return Err(SettingsError::UnknownKey { key: path, hint });
            }
        }
    }
    Ok(())
}

/// What a message about a key that is none says behind it.
fn hint(key: &str, keys: &[&str]) -> String {
    match nearest(key, keys.iter().copied()) {
        Some(nearest) => format!(": is it {nearest}?"),
        None => format!("; there are {}", keys.join(", ")),
    }
}

impl Program {
    /// The key of this name.
    ///
    /// # Errors
    /// With the nearest, if there is none.
    pub fn key(self, name: &str) -> Result<&'static str, SettingsError> {
        let keys = self.keys();
        keys.iter()
            .find(|key| **key == name)
            .copied()
            .ok_or_else(|| SettingsError::UnknownKey { key: name.into(), hint: hint(name, &keys) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    const KEYS: [&str; 4] = ["listen", "rtc.port", "addresses", "channels.preset"];

    fn gather(
        file: &str,
        env: &[(&str, &str)],
        flags: &[(&'static str, &str)],
    ) -> Result<Settings, SettingsError> {
        let env: BTreeMap<_, _> = env.iter().copied().collect();
        let sources = Sources {
            file: file.parse().unwrap(),
            env: &|name| env.get(name).map(|value| (*value).to_owned()),
            flags: flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(),
        };
        Settings::gather(&KEYS, &[("addresses", "OTHER_NAME")], &sources)
    }

    #[test]
    fn a_flag_beats_the_environment_which_beats_the_file() {
        let port = |settings: Settings| settings.parsed::<u16>("rtc.port", "a port").unwrap();
        let (file, env) = ("rtc.port = 1", [("RAILGUN_RTC_PORT", "2")]);
        assert_eq!(port(gather("", &[], &[]).unwrap()), None);
        assert_eq!(port(gather(file, &[], &[]).unwrap()), Some(1));
        assert_eq!(port(gather(file, &env, &[]).unwrap()), Some(2));
        assert_eq!(port(gather(file, &env, &[("rtc.port", "3")]).unwrap()), Some(3));
    }

    #[test]
    fn an_alias_is_read_where_the_keys_own_variable_is_not_set() {
        let list = |env: &[(&str, &str)]| {
            gather("addresses = [\"192.0.2.3\"]", env, &[]).unwrap().parsed_list::<IpAddr>("addresses", "")
        };
        let ip = |text: &str| Ok(Some(vec![text.parse().unwrap()]));
        assert_eq!(list(&[]), ip("192.0.2.3"));
        assert_eq!(list(&[("OTHER_NAME", "192.0.2.2")]), ip("192.0.2.2"));
        assert_eq!(list(&[("OTHER_NAME", "192.0.2.2"), ("RAILGUN_ADDRESSES", "192.0.2.1")]), ip("192.0.2.1"));
    }

    #[test]
    fn a_wrong_value_is_told_with_its_key_its_source_and_what_is_allowed() {
        let told = |file, env: &[(&str, &str)], flags: &[(&'static str, &str)]| {
            let settings = gather(file, env, flags).unwrap();
            settings.parsed::<u16>("rtc.port", "a port").unwrap_err().to_string()
        };
        assert_eq!(told("rtc.port = 70000", &[], &[]), "rtc.port = 70000 is not allowed: give a port");
        assert_eq!(
            told("", &[("RAILGUN_RTC_PORT", "x")], &[]),
            "rtc.port = \"x\" (from RAILGUN_RTC_PORT) is not allowed: give a port"
        );
        assert_eq!(
            told("", &[], &[("rtc.port", "")]),
            "rtc.port = \"\" (from a flag) is not allowed: give a port"
        );
    }

    #[test]
    fn a_key_that_does_not_exist_is_told() {
        for (file, key) in
            [("lisen = 1", "lisen"), ("[rtc]\nports = 1", "rtc.ports"), ("[a.b]\nc = 1", "a.b.c")]
        {
            let told = gather(file, &[], &[]).unwrap_err().to_string();
            assert!(told.starts_with(&format!("{key} is not a setting")), "{told}");
        }
    }

    #[test]
    fn a_table_that_is_a_setting_is_one_value() {
        let settings = gather("[channels.preset]\nlobby = \"pro\"", &[], &[]).unwrap();
        let preset: BTreeMap<String, String> = settings.read("channels.preset", "a table").unwrap().unwrap();
        assert_eq!(preset["lobby"], "pro");
        let settings = gather("", &[("RAILGUN_CHANNELS_PRESET", "{ lobby = \"free\" }")], &[]).unwrap();
        let preset: BTreeMap<String, String> = settings.read("channels.preset", "a table").unwrap().unwrap();
        assert_eq!(preset["lobby"], "free");
        assert!(settings.read::<Vec<u8>>("channels.preset", "bytes").is_err());
    }

    #[test]
    fn off_is_a_value_of_its_own() {
        let listen = |file| gather(file, &[], &[]).unwrap().parsed_or_off::<u16>("listen", "a port or off");
        assert_eq!(listen(""), Ok(None));
        assert_eq!(listen("listen = 80"), Ok(Some(Some(80))));
        assert_eq!(listen("listen = \"off\""), Ok(Some(None)));
        assert!(listen("listen = \"on\"").is_err());
    }
}
