//! `railgun-control`: serves the control-plane, and makes tokens and certificates for trials.
#![forbid(unsafe_code)]

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use prometheus_client::registry::Registry;
use railgun_control::auth::{Claims, LocalKey};
use railgun_control::turn::{Turn, coturn};
use railgun_control::{Config, Control, MediaNodes, OperatorScope, certs, operator_token_entry};
use railgun_process::logging::may_be_logged;
use railgun_protocol::ids::UserId;
use railgun_protocol::plan::Tier;
use railgun_settings::Sources;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::signal::unix::{SignalKind, signal};
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::prelude::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(version, about = "The control-plane of Rail Gun: sessions, entitlements, rooms")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the page and the signaling.
    Serve(Serve),
    /// Make a token for trials, with a key of your own.
    Token(Token),
    /// Make certificates for trials, for the link between the planes.
    Certs(Certs),
    /// Write the configuration of a TURN relay (coturn) for these media nodes.
    TurnConfig(coturn::CoturnOptions),
    /// Make a token for the operators' API, and the entry to put into its file.
    OperatorToken(OperatorToken),
}

#[derive(Args)]
struct OperatorToken {
    /// Who or what uses it; the audit log shows it.
    #[arg(long)]
    name: String,
    /// What it is good for, such as bans:write; as often as needed.
    #[arg(long = "scope", required = true)]
    scopes: Vec<OperatorScope>,
}

/// Every flag is also a key of the file and a variable of the environment; the flag wins.
#[derive(Args)]
struct Serve {
    /// The TOML file to read.
    #[arg(long, env = "RAILGUN_CONFIG")]
    config: Option<PathBuf>,
    /// Check the configuration and end.
    #[arg(long)]
    check_config: bool,
    /// Address and port of the page and the signaling [default: 127.0.0.1:8080]
    #[arg(long)]
    listen: Option<String>,
    /// Address and port of /healthz, /readyz and /metrics, or off [default: 127.0.0.1:8081]
    #[arg(long)]
    operators_listen: Option<String>,
    /// File of the operators' tokens; without it there is no API [see: operator-token]
    #[arg(long)]
    operators_tokens: Option<String>,
    /// File or URL of the public keys that users' tokens are signed with.
    #[arg(long)]
    jwks: Option<String>,
    /// The media node [default: https://127.0.0.1:50051]
    #[arg(long)]
    media_url: Option<String>,
    #[arg(long)]
    media_ca: Option<String>,
    #[arg(long)]
    media_cert: Option<String>,
    #[arg(long)]
    media_key: Option<String>,
    /// URLs of the etcd cluster that knows the media nodes; the other etcd.* settings go into the file.
    #[arg(long)]
    etcd_endpoints: Option<String>,
    /// Plain text to a media node on loopback.
    #[arg(long)]
    media_insecure: bool,
    /// A channel that nobody created is made when it is joined.
    #[arg(long)]
    create_on_join: bool,
}

#[derive(Args)]
struct Token {
    #[arg(long)]
    user: String,
    #[arg(long, value_enum, default_value = "free")]
    tier: TierName,
    /// When `pro` ends, in Unix seconds.
    #[arg(long)]
    pro_until: Option<u64>,
    /// What others see.
    #[arg(long)]
    name: Option<String>,
    /// Where channels that this user opens should be, if a media node has this region.
    #[arg(long)]
    region: Option<String>,
    /// How long it is good, in seconds.
    #[arg(long, default_value_t = 3600)]
    ttl: u64,
    /// The signing key; made if it is not there, with its JWKS beside it.
    #[arg(long, default_value = "railgun-token.key")]
    key: PathBuf,
    /// The user connects through relays only.
    #[arg(long)]
    privacy_mode: bool,
    #[arg(long)]
    audience: Option<String>,
    #[arg(long)]
    issuer: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum TierName {
    Free,
    Pro,
}

#[derive(Args)]
struct Certs {
    /// Where to write them.
    #[arg(long)]
    out: PathBuf,
    /// A DNS name or address that media nodes are reached at, or a node_id, beside those of this host.
    #[arg(long)]
    node_san: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Colours are for a terminal alone: in a file or a journal their escapes are noise.
    let ansi = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let discreet = filter_fn(|line| may_be_logged(line.target(), *line.level() > Level::INFO));
    let written = tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(filter).with(discreet).with(written).init();
    match obey(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, whatever RUST_BACKTRACE says: most of these are settings to correct.
            eprintln!("railgun-control: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn obey(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(serve) => run(serve).await,
        Command::Token(token) => mint(token),
        Command::OperatorToken(OperatorToken { name, scopes }) => {
            let token = format!("{:032x}", rand::random::<u128>());
            eprintln!("# The token, which is shown this once: {token}");
            print!("{}", operator_token_entry(&name, &token, &scopes));
            Ok(())
        }
        Command::Certs(Certs { out, node_san }) => {
            certs::write(&out, &[certs::names_of_this_host(), node_san].concat())?;
            println!("made ca.pem, control.pem, control.key, media.pem and media.key in {}", out.display());
            Ok(())
        }
        Command::TurnConfig(options) => {
            coturn::write(&options)?;
            println!("wrote {}", options.out.display());
            Ok(())
        }
    }
}

async fn run(serve: Serve) -> anyhow::Result<()> {
    let check_only = serve.check_config;
    let config = load(serve)?;
    let nodes = MediaNodes::of(&config)?;
    if check_only {
        Control::check(&config, None)?;
        Turn::open(&config.turn, Vec::new()).context("turn.secrets_file")?;
        println!("the configuration is good");
        return Ok(());
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let control = Control::start(config, nodes, None, Registry::default()).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    control.stop().await;
    Ok(())
}

fn load(serve: Serve) -> anyhow::Result<Config> {
    let file = serve.config.as_deref().map(read).transpose()?.unwrap_or_default();
    let switch = |given: bool| given.then(|| String::from("true"));
    let flags = [
        ("listen", serve.listen),
        ("operators.listen", serve.operators_listen),
        ("operators.tokens", serve.operators_tokens),
        ("auth.jwks", serve.jwks),
        ("media.url", serve.media_url),
        ("media.ca", serve.media_ca),
        ("media.cert", serve.media_cert),
        ("media.key", serve.media_key),
        ("etcd.endpoints", serve.etcd_endpoints),
        ("media.insecure", switch(serve.media_insecure)),
        ("channels.create_on_join", switch(serve.create_on_join)),
    ];
    let sources = Sources {
        file,
        env: &|name| std::env::var(name).ok(),
        flags: flags.into_iter().filter_map(|(key, value)| Some((key, value?))).collect(),
    };
    Ok(Config::default().with(&sources)?)
}

fn read(path: &Path) -> anyhow::Result<toml::Table> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("--config {} cannot be read", path.display()))?;
    text.parse().with_context(|| format!("{} is not TOML", path.display()))
}

fn mint(token: Token) -> anyhow::Result<()> {
    let key = LocalKey::open_or_create(&token.key)
        .with_context(|| format!("--key {} cannot be used", token.key.display()))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let claims = Claims {
        sub: UserId::new(token.user).context("--user")?,
        iat: now,
        exp: now.saturating_add(token.ttl),
        nbf: None,
        aud: token.audience,
        iss: token.issuer,
        tier: match token.tier {
            TierName::Free => Tier::Free,
            TierName::Pro => Tier::Pro,
        },
        pro_until: token.pro_until,
        name: token.name,
        region: token.region,
        privacy_mode: token.privacy_mode,
    };
    println!("{}", key.mint(&claims)?);
    Ok(())
}
