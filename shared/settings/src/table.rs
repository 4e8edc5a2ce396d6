//! Every setting of every program, in one table. Flags, variables of the environment, the sample files in
//! `deploy/samples`, `docs/configuration.md` and what `railgun init` writes are made from it.

mod control;
mod media;
mod shared;

use crate::setting::{Setting, nearest};
use clap::{Arg, ArgMatches};
use std::collections::BTreeMap;

/// A program that has settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `railgun-control serve`
    Control,
    /// `railgun-media`
    Media,
    /// `railgun`: both planes in one process.
    Standalone,
}

/// Variables that are no settings: what a program reads beside them, and tests.
const OTHER_VARIABLES: [&str; 4] =
    ["RAILGUN_CONFIG", "RAILGUN_DEV_SECRET", "RAILGUN_TOKEN", "RAILGUN_UPDATE"];
/// Of this repository's tests, which start the programs.
const TEST_VARIABLES: &str = "RAILGUN_TEST_";

impl Program {
    /// Its settings, in the order of the documents.
    pub fn settings(self) -> Vec<&'static Setting> {
        let of_planes: Vec<&Setting> = match self {
            Self::Control => [control::SETTINGS, shared::ETCD, shared::LOG].into_iter().flatten().collect(),
            Self::Media => [media::SETTINGS, shared::ETCD, shared::LOG].into_iter().flatten().collect(),
            Self::Standalone => {
                [control::SETTINGS, media::SETTINGS, shared::LOG].into_iter().flatten().collect()
            }
        };
        of_planes.into_iter().filter(|of| self != Self::Standalone || of.in_standalone).collect()
    }

    /// Their keys.
    pub fn keys(self) -> Vec<&'static str> {
        self.settings().into_iter().map(|of| of.key).collect()
    }

    /// A flag for each.
    pub fn flags(self) -> Vec<Arg> {
        self.settings().into_iter().map(Setting::arg).collect()
    }

    /// Key and value of each of [`Self::flags`] that was given.
    pub fn given(self, flags: &ArgMatches) -> Vec<(&'static str, String)> {
        let given = |key| Some((key, flags.get_one::<String>(key)?.clone()));
        self.keys().into_iter().filter_map(given).collect()
    }

    /// The first variable that begins as ours do and is none, with the nearest that there is. What another
    /// program reads is no mistake: planes on one host may have one file of variables.
    pub fn unknown_variable(self, names: impl IntoIterator<Item = String>) -> Option<(String, String)> {
        let mut known: BTreeMap<String, bool> =
            OTHER_VARIABLES.iter().map(|name| ((*name).to_owned(), true)).collect();
        for program in [Self::Control, Self::Media] {
            for of in program.settings() {
                known.insert(of.variable(), self != Self::Standalone || of.in_standalone);
            }
        }
        if self == Self::Standalone {
            shared::ETCD.iter().for_each(|of| _ = known.insert(of.variable(), false));
        }
        let is_ours = |name: &String| name.starts_with("RAILGUN_") && !name.starts_with(TEST_VARIABLES);
        let mut ours: Vec<String> = names.into_iter().filter(is_ours).collect();
        ours.sort();
        let unknown = ours.into_iter().find(|name| known.get(name) != Some(&true))?;
        let there = known.iter().filter(|(_, is_read)| **is_read).map(|(name, _)| name.as_str());
        let nearest = nearest(&unknown, there).unwrap_or_default();
        Some((unknown, nearest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_flag_and_variable_is_there_once_in_each_program() {
        for program in [Program::Control, Program::Media, Program::Standalone] {
            let command = clap::Command::new("any").args(program.flags());
            command.debug_assert();
            let mut variables: Vec<_> = program.settings().iter().map(|of| of.variable()).collect();
            let all = variables.len();
            variables.sort();
            variables.dedup();
            assert_eq!(variables.len(), all);
        }
    }

    #[test]
    fn each_sample_is_a_toml_value() {
        for of in [Program::Control, Program::Media].map(Program::settings).concat() {
            let text = format!("value = {}", of.sample());
            assert!(text.parse::<toml::Table>().is_ok(), "{}: {text}", of.key);
        }
    }

    #[test]
    fn a_switch_needs_no_value_and_takes_one() {
        let given = |flags: &[&str]| {
            let command = clap::Command::new("railgun-media").args(Program::Media.flags());
            let flags = command.try_get_matches_from([&["railgun-media"], flags].concat()).unwrap();
            Program::Media.given(&flags)
        };
        assert_eq!(given(&["--rpc-insecure"]), [("rpc.insecure", "true".to_owned())]);
        assert_eq!(given(&["--rpc-insecure", "false"]), [("rpc.insecure", "false".to_owned())]);
    }

    #[test]
    fn a_variable_that_is_none_is_told_with_the_nearest() {
        let unknown = |program: Program, name: &str| program.unknown_variable([name.to_owned()]);
        let told = |name: &str, nearest: &str| Some((name.to_owned(), nearest.to_owned()));
        assert_eq!(unknown(Program::Control, "RAILGUN_LISEN"), told("RAILGUN_LISEN", "RAILGUN_LISTEN"));
        assert_eq!(
            unknown(Program::Media, "RAILGUN_ANNOUNCED_ADRESS"),
            told("RAILGUN_ANNOUNCED_ADRESS", "RAILGUN_ANNOUNCED_ADDRESS")
        );
        assert_eq!(unknown(Program::Control, "RAILGUN_ZZZ"), told("RAILGUN_ZZZ", ""));
        for name in ["RAILGUN_WORKERS", "RAILGUN_LISTEN", "RAILGUN_CONFIG", "RAILGUN_TEST_LONG", "PATH"] {
            assert_eq!(unknown(Program::Control, name), None, "{name}");
        }
        // Both planes are one process there.
        assert!(unknown(Program::Standalone, "RAILGUN_MEDIA_URL").is_some());
        assert!(unknown(Program::Standalone, "RAILGUN_ETCD_ENDPOINTS").is_some());
    }
}
