//! Sample files and the document, from the table.

use crate::setting::{Setting, Unset};
use crate::table::Program;
use std::fmt::Write;

/// A file with every setting of `program` as a comment, in the sections that it has. Those of `set` (key and TOML
/// value) are in force.
pub fn sample(program: Program, set: &[(&str, String)]) -> String {
    let mut text =
        String::from("# Settings that begin with # have the value that holds anyway, or an example.\n");
    match program {
        Program::Control | Program::Media => sections(&mut text, &program.settings(), "", set),
        Program::Standalone => {
            let of = |plane: Program| -> Vec<&Setting> {
                plane.settings().into_iter().filter(|of| of.in_standalone).collect()
            };
            // What both have, such as how is logged, is the control-plane's section's.
            let control: Vec<&str> = of(Program::Control).iter().map(|of| of.key).collect();
            let media =
                of(Program::Media).into_iter().filter(|of| !control.contains(&of.key)).collect::<Vec<_>>();
            sections(&mut text, &of(Program::Control), "control", set);
            sections(&mut text, &media, "media", set);
        }
    }
    text
}

fn sections(text: &mut String, settings: &[&'static Setting], plane: &str, set: &[(&str, String)]) {
    if !plane.is_empty() {
        _ = write!(text, "\n[{plane}]\n");
    }
    let section = |of: &Setting| of.key.split_once('.').map_or("", |(section, _)| section);
    let mut names: Vec<&str> = Vec::new();
    for of in settings {
        if !names.contains(&section(of)) {
            names.push(section(of));
        }
    }
    // What is in no section comes first, or it would be in one.
    names.sort_by_key(|name| !name.is_empty());
    for name in names {
        if !name.is_empty() {
            let dot = if plane.is_empty() { "" } else { "." };
            _ = write!(text, "\n[{plane}{dot}{name}]\n");
        }
        for of in settings.iter().filter(|of| section(of) == name) {
            let key = of.key.rsplit('.').next().unwrap_or(of.key);
            _ = writeln!(text, "# {}. Unset: {}.", of.help, of.default_in_words());
            match set.iter().find(|(set, _)| *set == of.key) {
                Some((_, value)) => _ = writeln!(text, "{key} = {value}"),
                None => _ = writeln!(text, "#{key} = {}", of.sample()),
            }
        }
    }
}

/// `docs/configuration.md`.
pub fn documentation() -> String {
    let mut text = String::from(HEAD);
    let tables = [
        (Program::Control, "The control-plane: `railgun-control serve`"),
        (Program::Media, "A media node: `railgun-media`"),
    ];
    for (program, title) in tables {
        _ = write!(text, "\n## {title}\n\n| key | flag and variable | unset | what |\n|---|---|---|---|\n");
        for of in program.settings() {
            let flag = match of.short_flag {
                "" => format!("`--{}`", of.flag()),
                short => format!("`--{}` `--{short}`", of.flag()),
            };
            let unset = match of.default {
                Unset::Is(value) => format!("`{}`", value.trim_matches('"')),
                Unset::Means(words) => words.to_owned(),
            };
            let only = if of.in_standalone { "" } else { " †" };
            let help = of.help.replace('|', "\\|");
            _ = writeln!(text, "| `{}`{only} | {flag} `{}` | {unset} | {help} |", of.key, of.variable());
        }
    }
    text.push_str(TAIL);
    text
}

const HEAD: &str = "\
# Configuration

This page is made from the table that the programs read (`shared/settings/src/table`); a test compares.

A setting comes from a flag, else from a variable of the environment, else from the TOML file of `--config`
(`RAILGUN_CONFIG`). A key or a `RAILGUN_` variable that does not exist ends the start with the nearest name that does.
`railgun init` writes a file with every setting as a comment; `deploy/samples` has the same.

`railgun`, both planes in one process, has all of them but those with †. Its file has two sections: `[control]` for those of
the first table (`[control.operators]`, …), `[media]` for those of the second.

`railgun check-config --config FILE` (or `--check-config` beside the flags of a start) reads the configuration, opens every
file it names, compares each key with its certificate, binds nothing, and prints what holds.

A list is a TOML list in the file, and values with commas between them in a flag or variable. A table
(`channels.preset`, `rtc.ice_servers`) is TOML everywhere: `--channels-preset '{ lobby = \"pro\" }'`.
";

const TAIL: &str = "
`MEDIASOUP_ANNOUNCED_IP` is read where `RAILGUN_ANNOUNCED_ADDRESS` is not set. `RAILGUN_DEV_SECRET` is the secret of
development mode (`railgun dev`), which is random where it is not set.

## Logs

Programs log to standard error. `log.format` (`--log-format json`) has a JSON object for each line; text has colours on a
terminal only, and none with `NO_COLOR` set. `RUST_LOG` says how much is logged, as
[tracing's EnvFilter](https://docs.rs/tracing-subscriber/latest/tracing_subscriber/filter/struct.EnvFilter.html) reads it:

| `RUST_LOG` | what |
|---|---|
| unset, `info` | starts, ends, links, what is wrong; why a token was refused, as a kind and how often, at most once in ten seconds each |
| `warn` | only what needs somebody |
| `debug` | sessions and rooms by their ids: names users' ids and addresses, so not for every day |
| `info,railgun_control::gateway=debug` | one part in detail |

No level logs a token, a key or a secret. User ids and addresses are in no line at `info` or above.
";

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// With RAILGUN_UPDATE=1 writes the file instead.
    fn compare(path: &str, text: &str) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
        if std::env::var_os("RAILGUN_UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        let how = "RAILGUN_UPDATE=1 cargo test -p railgun-settings writes it anew";
        assert!(there == text, "{} is not what the table of settings makes: {how}", path.display());
    }

    #[test]
    fn documents_and_samples_are_what_the_table_makes() {
        compare("docs/configuration.md", &documentation());
        compare("deploy/samples/control.toml", &sample(Program::Control, &[]));
        compare("deploy/samples/media.toml", &sample(Program::Media, &[]));
        compare("deploy/samples/railgun.toml", &sample(Program::Standalone, &[]));
    }

    #[test]
    fn a_sample_is_toml_and_holds_what_is_set_and_nothing_else() {
        let set = [("auth.jwks", "\"keys.json\"".to_owned()), ("workers", "2".to_owned())];
        let file: toml::Table = sample(Program::Standalone, &set).parse().unwrap();
        assert_eq!(file["control"]["auth"]["jwks"].as_str(), Some("keys.json"));
        assert_eq!(file["media"]["workers"].as_integer(), Some(2));
        assert!(file["control"]["operators"].as_table().unwrap().is_empty());
    }

    #[test]
    fn a_sample_with_every_comment_taken_away_has_every_key() {
        for program in [Program::Control, Program::Media] {
            let text = sample(program, &[]);
            let lines = text.lines().map(|line| match line.strip_prefix('#') {
                Some(setting) if !setting.starts_with(' ') => setting,
                _ => line,
            });
            let file: toml::Table = lines.collect::<Vec<_>>().join("\n").parse().unwrap();
            for key in program.keys() {
                let found = match key.split_once('.') {
                    None => file.get(key),
                    Some((section, name)) => file.get(section).and_then(|of| of.get(name)),
                };
                assert!(found.is_some(), "{key}");
            }
        }
    }
}
