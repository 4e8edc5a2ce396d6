//! Relays for clients: where they are, and credentials that expire.
//!
//! A credential follows the TURN REST scheme that coturn calls `use-auth-secret`
//! (draft-uberti-behave-turn-rest-00): the user name says when it ends, and the password is a keyed
//! hash of the name, so a relay that has the secret needs to ask nobody.

pub mod coturn;
mod secrets;
mod url;

pub use secrets::{Secrets, SecretsError, WrongSecrets};
pub use url::{NotAUrl, TurnUrl};

use crate::clock::rfc3339;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use railgun_shared::signal::IceServer;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const TTL_DEFAULT: Duration = Duration::from_secs(2 * 3600);
pub const TTL_MIN: Duration = Duration::from_secs(60);
/// A stolen credential is worth no more than this.
pub const TTL_MAX: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone, Debug)]
pub struct TurnConfig {
    /// `turn.urls`: the relays, and STUN servers (RFC 7065, RFC 7064).
    pub urls: Vec<TurnUrl>,
    /// `turn.secrets_file`: what credentials are made with, see [`Secrets`].
    pub secrets_file: Option<PathBuf>,
    /// `turn.ttl`: for how long a credential is good.
    pub ttl: Duration,
}

impl Default for TurnConfig {
    fn default() -> Self {
        Self { urls: Vec::new(), secrets_file: None, ttl: TTL_DEFAULT }
    }
}

/// What a client gets at joining, or when its credential ends soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    pub ice_servers: Vec<IceServer>,
    /// RFC 3339, in UTC; none if nothing in it expires.
    pub expires_at: Option<String>,
}

/// Issues credentials for the configured relays.
pub struct Turn {
    relays: Vec<String>,
    stun: Vec<String>,
    /// `rtc.ice_servers`, handed out as they are.
    others: Vec<IceServer>,
    key: Option<hmac::Key>,
    ttl: Duration,
}

impl Turn {
    /// `others` come after the configured relays.
    ///
    /// # Errors
    /// If `turn.secrets_file` cannot be used.
    pub fn open(config: &TurnConfig, others: Vec<IceServer>) -> Result<Self, SecretsError> {
        let secrets = config.secrets_file.as_deref().map(Secrets::read).transpose()?;
        Ok(Self::new(config, secrets.as_ref(), others))
    }

    fn new(config: &TurnConfig, secrets: Option<&Secrets>, others: Vec<IceServer>) -> Self {
        let mut urls: Vec<&TurnUrl> = config.urls.iter().collect();
        // Speech over TCP waits for what was lost, so UDP is tried first and TLS last.
        urls.sort_by_key(|url| url.preference());
        let texts = |wanted: fn(&TurnUrl) -> bool| {
            urls.iter().filter(|url| wanted(url)).map(|url| url.to_string()).collect()
        };
        Self {
            relays: texts(TurnUrl::is_relay),
            stun: texts(|url| !url.is_relay()),
            others,
            key: secrets.map(|secrets| hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secrets.first())),
            ttl: config.ttl,
        }
    }

    /// Servers with a credential of its own for whoever asks.
    #[must_use]
    pub fn issue(&self, now: SystemTime) -> Issued {
        self.issue_as(now, rand::random())
    }

    /// `id` stands for nobody: a relay's log cannot be joined with anything else.
    fn issue_as(&self, now: SystemTime, id: u128) -> Issued {
        let mut ice_servers = Vec::with_capacity(2 + self.others.len());
        let mut expires_at = None;
        if let Some(key) = self.key.as_ref().filter(|_| !self.relays.is_empty()) {
            let ends = now + self.ttl;
            let expiry = ends.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let username = format!("{expiry}:{id:032x}");
            let credential = STANDARD.encode(hmac::sign(key, username.as_bytes()));
            ice_servers.push(IceServer {
                urls: self.relays.clone(),
                username: Some(username),
                credential: Some(credential),
            });
            expires_at = Some(rfc3339(ends));
        }
        if !self.stun.is_empty() {
            ice_servers.push(IceServer { urls: self.stun.clone(), username: None, credential: None });
        }
        ice_servers.extend_from_slice(&self.others);
        Issued { ice_servers, expires_at }
    }
}

impl Issued {
    /// For a user in privacy mode, who shows no server but a relay where they are.
    #[must_use]
    pub fn relays_only(mut self) -> Self {
        let is_relay = |url: &String| url.starts_with("turn:") || url.starts_with("turns:");
        for server in &mut self.ice_servers {
            server.urls.retain(is_relay);
        }
        self.ice_servers.retain(|server| !server.urls.is_empty());
        self
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("relays", &self.relays).field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a-secret-of-the-relays";

    fn turn(urls: &[&str], secrets: &str, others: Vec<IceServer>) -> Turn {
        let urls = urls.iter().map(|url| url.parse().unwrap()).collect();
        let config = TurnConfig { urls, ..TurnConfig::default() };
        Turn::new(&config, Some(&secrets.parse().unwrap()), others)
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_credential_is_the_keyed_hash_of_a_name_that_says_when_it_ends() {
        let turn = turn(&["turn:relay.example.com:3478?transport=udp"], SECRET, Vec::new());
        let issued = turn.issue_as(at(1_800_000_000), 0xfeed);
        let server = &issued.ice_servers[0];
        assert_eq!(server.username.as_deref(), Some("1800007200:0000000000000000000000000000feed"));
        // printf %s 1800007200:0000000000000000000000000000feed |
        //     openssl dgst -sha1 -hmac a-secret-of-the-relays -binary | base64
        assert_eq!(server.credential.as_deref(), Some("yeFx8DK0H38SHdi4SeP3Q6ic7Ho="));
        assert_eq!(issued.expires_at.as_deref(), Some("2027-01-15T10:00:00Z"));
    }

    #[test]
    fn everybody_gets_a_credential_of_their_own() {
        let turn = turn(&["turn:relay.example.com"], SECRET, Vec::new());
        let names: std::collections::HashSet<_> =
            (0..100).map(|_| turn.issue(at(1)).ice_servers[0].username.clone()).collect();
        assert_eq!(names.len(), 100);
    }

    #[test]
    fn the_first_secret_signs() {
        let url = ["turn:relay.example.com"];
        let of = |secrets| turn(&url, secrets, Vec::new()).issue_as(at(1), 1);
        let rotated = format!("the-secret-of-next-month\n{SECRET}");
        assert_eq!(of(&rotated), of("the-secret-of-next-month"));
        assert_ne!(of(&rotated), of(SECRET));
    }

    #[test]
    fn udp_comes_first_then_tcp_then_tls_then_stun_then_the_others() {
        let urls = [
            "stun:relay.example.com",
            "turns:relay.example.com:443?transport=tcp",
            "turn:relay.example.com?transport=tcp",
            "turn:relay.example.com?transport=udp",
            "turn:other.example.com",
        ];
        let other =
            IceServer { urls: vec!["stun:stun.example.com".into()], username: None, credential: None };
        let issued = turn(&urls, SECRET, vec![other.clone()]).issue_as(at(1), 1);
        assert_eq!(issued.ice_servers[0].urls, [urls[3], urls[4], urls[2], urls[1]]);
        assert_eq!(issued.ice_servers[1].urls, [urls[0]]);
        assert_eq!((issued.ice_servers[1].credential.as_ref(), &issued.ice_servers[2]), (None, &other));

        let private = issued.relays_only();
        assert_eq!(private.ice_servers.len(), 1);
        assert!(private.expires_at.is_some());
    }

    #[test]
    fn without_relays_nothing_expires() {
        let turn = Turn::new(&TurnConfig::default(), None, Vec::new());
        assert_eq!(turn.issue(at(1)), Issued { ice_servers: Vec::new(), expires_at: None });
    }

    #[test]
    fn debug_output_shows_no_secret_and_no_credential() {
        let turn = turn(&["turn:relay.example.com"], SECRET, Vec::new());
        let issued = turn.issue_as(at(1_800_000_000), 0xfeed);
        let shown = format!("{turn:?} {issued:?}");
        assert!(shown.contains("relay.example.com"), "{shown}");
        for hidden in [SECRET, "feed", issued.ice_servers[0].credential.as_deref().unwrap()] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
}
