//! One configuration for both planes: a file with the sections `[control]` and `[media]`, and flags
//! for what a trial changes. `RAILGUN_*` variables are those of the two planes.

use anyhow::{Context, bail};
use clap::{Arg, ArgAction, ArgMatches, Command};
use railgun_settings::Sources;
use toml::{Table, Value};

enum Plane {
    Control,
    Media,
}
use Plane::{Control, Media};

/// Flag, whose setting it is, its key there, and what it means.
const FLAGS: [(&str, Plane, &str, &str); 12] = [
    ("listen", Control, "listen", "Where the page and the signaling are served [127.0.0.1:8080]"),
    (
        "operators-listen",
        Control,
        "operators.listen",
        "Where /healthz, /readyz and /metrics are served, or off [127.0.0.1:8081]",
    ),
    ("channel-tier", Control, "channels.default_tier", "Tier of channels made by joining: free, pro [pro]"),
    (
        "cors-origins",
        Control,
        "cors_origins",
        "Origins of other pages that may talk to us, such as http://localhost:5173",
    ),
    ("jwks", Control, "auth.jwks", "File of the public keys that users' tokens are signed with"),
    (
        "announced-address",
        Media,
        "announced_address",
        "IP addresses that clients are told to send media to [127.0.0.1]",
    ),
    ("rtc-listen-ip", Media, "rtc.listen_ip", "Where media is received [loopback if only that is announced]"),
    ("rtc-port-min", Media, "rtc.port_min", "First UDP port for media [40000]"),
    ("rtc-port-max", Media, "rtc.port_max", "Last UDP port for media [49999]"),
    ("workers", Media, "workers", "Media threads, each with its own port [one per processor, at most 4]"),
    ("dtls-version", Media, "dtls_version", "1.2, 1.3 or auto [1.2]"),
    ("node-id", Media, "node_id", "The media node's name [the host's name]"),
];

pub(crate) fn command() -> Command {
    let own = [
        Arg::new("config").long("config").value_name("FILE").help("TOML file with [control] and [media]"),
        Arg::new("check-config")
            .long("check-config")
            .action(ArgAction::SetTrue)
            .help("Read the configuration, say what is wrong with it, and end"),
        Arg::new("dev").long("dev").action(ArgAction::SetTrue).help(
            "Development mode: whoever has the secret in the printed link gets tokens for any user. On \
             loopback only, and never with --jwks. RAILGUN_DEV_SECRET sets the secret [random]",
        ),
    ];
    let settings = FLAGS.map(|(flag, _, _, help)| Arg::new(flag).long(flag).value_name("VALUE").help(help));
    Command::new("railgun")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Rail Gun in one process: the page, the signaling and a media node")
        .args(own)
        .args(settings)
}

pub(crate) fn load(flags: &ArgMatches) -> anyhow::Result<(railgun_control::Config, railgun_media::Config)> {
    let (control_file, media_file) = sections(flags.get_one::<String>("config"))?;
    let env = |name: &str| std::env::var(name).ok();
    let given = |wanted: fn(&Plane) -> bool| {
        let ours = FLAGS.iter().filter(move |(_, plane, _, _)| wanted(plane));
        ours.filter_map(|(flag, _, key, _)| Some((*key, flags.get_one::<String>(flag)?.clone()))).collect()
    };
    let flags_of_control = given(|plane| matches!(plane, Control));
    let flags_of_media = given(|plane| matches!(plane, Media));
    let control = Sources { file: control_file, env: &env, flags: flags_of_control };
    let media = Sources { file: media_file, env: &env, flags: flags_of_media };
    let control = railgun_control::Config::standalone().with(&control)?;
    let media = railgun_media::Config::default().with(&media)?;
    Ok((control, media))
}

/// The file's two sections; each plane reads its own and names what is wrong with it.
fn sections(path: Option<&String>) -> anyhow::Result<(Table, Table)> {
    let Some(path) = path else { return Ok((Table::new(), Table::new())) };
    let text = std::fs::read_to_string(path).with_context(|| format!("--config {path} cannot be read"))?;
    let mut file: Table = text.parse().with_context(|| format!("{path} is not TOML"))?;
    let mut section = |name| match file.remove(name) {
        None => Ok(Table::new()),
        Some(Value::Table(section)) => Ok(section),
        Some(_) => bail!("{path}: {name} is not a section: write [{name}] above its settings"),
    };
    let sections = (section("control")?, section("media")?);
    match file.keys().next() {
        None => Ok(sections),
        Some(other) => bail!("{path}: {other} belongs into [control] or [media]"),
    }
}
