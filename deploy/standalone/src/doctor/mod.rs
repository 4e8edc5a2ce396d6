//! `railgun doctor`: what is wrong with an installation, and how to mend it. On a host with `--config`; from outside
//! with the page's URL. Changes nothing, but for a key in etcd that it takes away again, and a network test (a room
//! of one) where it has a token. Takes 30 s at most.

mod call;
mod etcd;
mod finding;
mod host;
mod machine;
mod outside;
mod reserved_ports;
mod stun;
mod turn;

use clap::Args;
use finding::Findings;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

pub(crate) const ABOUT: &str = "Look at this machine, a configuration, or a page from outside; say what is wrong and how to \
     mend it";

const WITHIN: Duration = Duration::from_secs(29);

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// The page from outside, such as `https://voice.example.org`; as often as there are ways to it.
    urls: Vec<reqwest::Url>,
    /// A configuration of this host: railgun's, railgun-control's or railgun-media's.
    #[arg(long)]
    config: Option<PathBuf>,
    /// A user's token: with it media is tried too, in a network test that nobody else is in.
    #[arg(long, env = "RAILGUN_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// PEM file of an authority to believe besides the system's.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// For programs: a JSON object.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Fails (1) if something is wrong, and not for what is only doubtful.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut findings = Findings::default();
        let all = async {
            if self.config.is_some() || self.urls.is_empty() {
                machine::look(&mut findings);
            }
            if let Some(path) = &self.config {
                host::look(path, &mut findings).await;
            }
            for url in &self.urls {
                outside::look(url, self.ca.as_deref(), self.token.as_deref(), &mut findings).await;
            }
        };
        if tokio::time::timeout(WITHIN, all).await.is_err() {
            findings.fault("time", "not everything was looked at within 29 s", "Look at one URL at a time");
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&findings.to_json())?);
        } else {
            println!("{findings}");
        }
        Ok(if findings.has_fault() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
