//! Relays for clients: where they are, and credentials that expire.
//!
//! A credential follows the TURN REST scheme that coturn calls `use-auth-secret`
//! (draft-uberti-behave-turn-rest-00): the user name says when it ends, and the password is a keyed
//! hash of the name, so a relay that has the secret needs to ask nobody.
//!
//! After the time the name holds a keyed hash of user and day. coturn's `user-quota` counts by that part,
//! so however many credentials a user asks for, at whichever replica, one quota binds them all; and a log
//! names nobody, nor tells that two days' names are one user's.

pub mod coturn;
mod secrets;
mod url;

pub use secrets::{Secrets, SecretsError, WrongSecrets};
pub use url::{NotAUrl, TurnUrl};

use crate::clock::rfc3339;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use railgun_protocol::ids::UserId;
use railgun_protocol::signal::IceServer;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a user keeps a name at the relays. At its end two quotas count for at most one `turn.ttl`.
const NAME_PERIOD: Duration = Duration::from_secs(24 * 3600);
const NAME_BYTES: usize = 16;
/// Sets this use of the relays' secret apart from the signing of credentials.
const NAME_CONTEXT: &[u8] = b"railgun turn name\0";

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
    keys: Option<Keys>,
    ttl: Duration,
}

struct Keys {
    /// What the relays check: HMAC-SHA1, by the scheme.
    credential: hmac::Key,
    /// What names are made with: HMAC-SHA256.
    name: hmac::Key,
}

impl Keys {
    fn new(secret: &[u8]) -> Self {
        Self {
            credential: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret),
            name: hmac::Key::new(hmac::HMAC_SHA256, secret),
        }
    }

    /// What stands for the user in this period: 32 hexadecimal digits.
    fn name_of(&self, user: &UserId, now: SystemTime) -> String {
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let period = since_epoch.as_secs() / NAME_PERIOD.as_secs();
        let mut context = hmac::Context::with_key(&self.name);
        for part in [NAME_CONTEXT, &period.to_be_bytes(), user.as_str().as_bytes()] {
            context.update(part);
        }
        hex::encode(context.sign().as_ref().get(..NAME_BYTES).unwrap_or_default())
    }
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
            keys: secrets.map(|secrets| Keys::new(secrets.first())),
            ttl: config.ttl,
        }
    }

    /// Whether there is a relay to hand out, without which privacy mode has no media.
    #[must_use]
    pub fn has_relay(&self) -> bool {
        let of_others = self.others.iter().flat_map(|server| &server.urls);
        (self.keys.is_some() && !self.relays.is_empty()) || of_others.into_iter().any(|url| is_relay(url))
    }

    /// Servers with a credential for this user.
    #[must_use]
    pub fn issue(&self, user: &UserId, now: SystemTime) -> Issued {
        let mut ice_servers = Vec::with_capacity(2 + self.others.len());
        let mut expires_at = None;
        if let Some(keys) = self.keys.as_ref().filter(|_| !self.relays.is_empty()) {
            let ends = now + self.ttl;
            let expiry = ends.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let username = format!("{expiry}:{}", keys.name_of(user, now));
            let credential = STANDARD.encode(hmac::sign(&keys.credential, username.as_bytes()));
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
        for server in &mut self.ice_servers {
            server.urls.retain(|url| is_relay(url));
        }
        self.ice_servers.retain(|server| !server.urls.is_empty());
        self
    }
}

fn is_relay(url: &str) -> bool {
    url.starts_with("turn:") || url.starts_with("turns:")
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

    fn user(id: &str) -> UserId {
        UserId::new(id).unwrap()
    }

    fn name_of(issued: &Issued) -> (u64, String) {
        let username = issued.ice_servers[0].username.clone().unwrap();
        let (expiry, name) = username.split_once(':').unwrap();
        (expiry.parse().unwrap(), name.to_owned())
    }

    #[test]
    fn a_credential_is_the_keyed_hash_of_a_name_that_says_when_it_ends() {
        let turn = turn(&["turn:relay.example.com:3478?transport=udp"], SECRET, Vec::new());
        let issued = turn.issue(&user("ada"), at(1_800_000_000));
        let server = &issued.ice_servers[0];
        // printf 'railgun turn name\0\0\0\0\0\0\0\x51\x61ada' |
        //     openssl dgst -sha256 -hmac a-secret-of-the-relays   (0x5161 days until then; the first half)
        assert_eq!(server.username.as_deref(), Some("1800007200:f2655fcdadb661ac77405b82fac41a31"));
        // printf %s 1800007200:f2655fcdadb661ac77405b82fac41a31 |
        //     openssl dgst -sha1 -hmac a-secret-of-the-relays -binary | base64
        assert_eq!(server.credential.as_deref(), Some("3kgIFj7WsS+PljyS+8Gg7UEYPTA="));
        assert_eq!(issued.expires_at.as_deref(), Some("2027-01-15T10:00:00Z"));
    }

    /// coturn's `user-quota` counts by what comes after the time.
    #[test]
    fn a_user_has_one_name_a_day_however_often_and_wherever_a_credential_is_refreshed() {
        let replicas = [0, 1].map(|_| turn(&["turn:relay.example.com"], SECRET, Vec::new()));
        let day = NAME_PERIOD.as_secs();
        let names: std::collections::HashSet<_> = (0..1000)
            .map(|n| name_of(&replicas[n % 2].issue(&user("ada"), at(day + n as u64 * day / 1000))).1)
            .collect();
        assert_eq!(names.len(), 1, "{names:?}");
        let of = |id, now| name_of(&replicas[0].issue(&user(id), at(now)));
        assert_ne!(of("ada", day).1, of("ben", day).1);
        assert_ne!(of("ada", day).1, of("ada", 2 * day).1, "days cannot be told to be one user's");
        assert_ne!(of("ada", day).0, of("ada", day + 1).0, "each refresh lasts longer");
        let other = turn(&["turn:relay.example.com"], "another-secret-of-relays", Vec::new());
        assert_ne!(
            name_of(&other.issue(&user("ada"), at(day))).1,
            of("ada", day).1,
            "without the key nobody knows it"
        );
        assert!(!of("ada", day).1.contains("ada") && of("ada", day).1.len() == 2 * NAME_BYTES);
    }

    #[test]
    fn the_first_secret_signs() {
        let url = ["turn:relay.example.com"];
        let of = |secrets| turn(&url, secrets, Vec::new()).issue(&user("ada"), at(1));
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
        let issued = turn(&urls, SECRET, vec![other.clone()]).issue(&user("ada"), at(1));
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
        assert_eq!(turn.issue(&user("ada"), at(1)), Issued { ice_servers: Vec::new(), expires_at: None });
        assert!(!turn.has_relay());
        let other = |url: &str| IceServer { urls: vec![url.into()], username: None, credential: None };
        let with = |url| Turn::new(&TurnConfig::default(), None, vec![other(url)]).has_relay();
        assert!(with("turns:relay.example.com") && !with("stun:stun.example.com"));
    }

    #[test]
    fn debug_output_shows_no_secret_and_no_credential() {
        let turn = turn(&["turn:relay.example.com"], SECRET, Vec::new());
        let issued = turn.issue(&user("ada"), at(1_800_000_000));
        let shown = format!("{turn:?} {issued:?}");
        assert!(shown.contains("relay.example.com"), "{shown}");
        let (_, name) = name_of(&issued);
        for hidden in [SECRET, &name, issued.ice_servers[0].credential.as_deref().unwrap()] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
}
