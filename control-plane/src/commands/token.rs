//! `token`: a token for one user, with a key that is made on first use.

use crate::auth::{Claims, LocalKey};
use anyhow::Context;
use clap::{Args, ValueEnum};
use railgun_protocol::ids::UserId;
use railgun_protocol::plan::Tier;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Its options.
#[derive(Args, Debug)]
pub struct Token {
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
    /// Where the user's picture is: a path on the page's origin, or an https:// URL of a host of `avatar_hosts`
    #[arg(long)]
    avatar: Option<String>,
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
    /// Print a link to this page with the token in it instead, such as `https://voice.example.org`
    #[arg(long)]
    link: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TierName {
    Free,
    Pro,
}

impl Token {
    pub(super) fn mint(self) -> anyhow::Result<()> {
        let key = LocalKey::open_or_create(&self.key)
            .with_context(|| format!("--key {} cannot be used", self.key.display()))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let claims = Claims {
            sub: UserId::new(self.user).context("--user")?,
            iat: now,
            exp: now.saturating_add(self.ttl),
            nbf: None,
            aud: self.audience,
            iss: self.issuer,
            tier: match self.tier {
                TierName::Free => Tier::Free,
                TierName::Pro => Tier::Pro,
            },
            pro_until: self.pro_until,
            name: self.name,
            avatar: self.avatar,
            region: self.region,
            privacy_mode: self.privacy_mode,
        };
        let token = key.mint(&claims)?;
        match self.link {
            Some(page) => println!("{}/#token={token}", page.trim_end_matches('/')),
            None => println!("{token}"),
        }
        Ok(())
    }
}
