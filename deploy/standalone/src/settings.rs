//! One configuration for both planes: a file with the sections `[control]` and `[media]`, and the flags and
//! `RAILGUN_*` variables of both.

use anyhow::bail;
use clap::{Arg, ArgAction, ArgMatches};
use railgun_settings::{Program, Setting, Sources, check_environment, file_flags, read_file, variables};
use toml::{Table, Value};

pub(crate) fn flags() -> Vec<Arg> {
    let dev = Arg::new("dev").long("dev").action(ArgAction::SetTrue).help(
        "Development mode, as `railgun dev`: whoever has the secret in the printed link gets tokens for any user. On \
         loopback only, and never with --jwks. RAILGUN_DEV_SECRET sets the secret [random]",
    );
    file_flags().into_iter().chain([dev]).chain(Program::Standalone.flags()).collect()
}

pub(crate) fn load(flags: &ArgMatches) -> anyhow::Result<(railgun_control::Config, railgun_media::Config)> {
    check_environment(Program::Standalone, variables())?;
    let (control_file, media_file) = sections(read_file(flags)?)?;
    let env = |name: &str| std::env::var(name).ok();
    let given = Program::Standalone.given(flags);
    let of = |program: Program| {
        let keys = program.keys();
        given.iter().filter(|(key, _)| keys.contains(key)).cloned().collect()
    };
    let control = Sources { file: control_file, env: &env, flags: of(Program::Control) };
    let media = Sources { file: media_file, env: &env, flags: of(Program::Media) };
    let control = railgun_control::Config::standalone().with(&control)?;
    let mut media = railgun_media::Config::default().with(&media)?;
    // One process, and one section that says it.
    media.traces.clone_from(&control.traces);
    Ok((control, media))
}

/// The file's two sections; each plane reads its own and names what is wrong with it.
fn sections(mut file: Table) -> anyhow::Result<(Table, Table)> {
    let mut section = |name| match file.remove(name) {
        None => Ok(Table::new()),
        Some(Value::Table(section)) => Ok(section),
        Some(_) => bail!("{name} is not a section: write [{name}] above its settings"),
    };
    let (control, media) = (section("control")?, section("media")?);
    if let Some(other) = file.keys().next() {
        bail!("{other} belongs into [control] or [media]");
    }
    for (plane, program, section) in
        [("control", Program::Control, &control), ("media", Program::Media, &media)]
    {
        let between = |of: &&Setting| !of.in_standalone && is_set(section, of.key);
        if let Some(of) = program.settings().into_iter().find(between) {
            bail!(
                "{plane}.{} is not a setting of railgun, which has both planes in one process: it is for {}",
                of.key,
                if program == Program::Control { "railgun-control" } else { "railgun-media" }
            );
        }
    }
    Ok((control, media))
}

fn is_set(file: &Table, key: &str) -> bool {
    let found = match key.split_once('.') {
        None => file.get(key),
        Some((section, name)) => file.get(section).and_then(|of| of.get(name)),
    };
    found.is_some()
}

/// Both planes by this file alone.
pub(crate) fn of_file(
    file: Table,
    env: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<(railgun_control::Config, railgun_media::Config)> {
    let (control, media) = sections(file)?;
    let control = Sources { file: control, env, flags: Vec::new() };
    let media = Sources { file: media, env, flags: Vec::new() };
    let control = railgun_control::Config::standalone().with(&control)?;
    Ok((control, railgun_media::Config::default().with(&media)?))
}
