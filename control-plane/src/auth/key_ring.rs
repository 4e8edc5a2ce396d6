//! The keys in use, and how they change: the set is read again from time to time, and soon after a
//! token named a key that is not in it. A set that cannot be read changes nothing.

use super::claims::Identity;
use super::jwks::{JwksSource, Reader};
use super::token_keys::{KeyError, TokenError, TokenKeys};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use railgun_process::each_minute::EachMinute;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::sleep;

/// Between two readings when nothing asks for one.
const READ_INTERVAL: Duration = Duration::from_secs(60);
/// Tokens with unknown keys cannot make us read more often.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// Clones share the keys.
#[derive(Clone, Debug)]
pub(crate) struct KeyRing {
    keys: Arc<RwLock<Arc<TokenKeys>>>,
    unknown: Arc<Notify>,
    skewed: Arc<Mutex<EachMinute>>,
    fixed: Fixed,
}

/// Clocks that are apart by more are told of, though tokens are taken with more.
const SKEW_MAX_SECONDS: u64 = 2;

/// What every set is put together with.
#[derive(Clone, Debug)]
struct Fixed {
    audience: Option<String>,
    issuer: Option<String>,
    /// A key of our own, if there is one.
    own: Option<Jwk>,
}

impl KeyRing {
    pub(crate) fn new(
        audience: Option<String>,
        issuer: Option<String>,
        own: Option<Jwk>,
    ) -> Result<Self, KeyError> {
        let fixed = Fixed { audience, issuer, own };
        let keys = Arc::new(RwLock::new(Arc::new(fixed.with(None)?)));
        Ok(Self { keys, unknown: Arc::default(), skewed: Arc::default(), fixed })
    }

    /// Whose token this is, if it is good at `now` (Unix seconds).
    pub(crate) fn verify(&self, token: &str, now: u64) -> Result<Identity, TokenError> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).clone();
        let verified = keys.verify(token, now);
        if let Err(TokenError::UnknownKey) = &verified {
            self.unknown.notify_one();
        }
        let (seconds, refused) = match &verified {
            Err(TokenError::NotYet { seconds }) => (*seconds, true),
            Ok(identity) => (identity.issued_at.saturating_sub(now), false),
            Err(_) => (0, false),
        };
        if seconds > SKEW_MAX_SECONDS && self.is_due() {
            tracing::warn!(
                seconds,
                refused,
                "a token says that it was made that many seconds from now: the issuer's clock or this machine's \
                 is off; more than 30 s are refused"
            );
        }
        verified
    }

    /// Whether it is time to say again that clocks are apart.
    fn is_due(&self) -> bool {
        self.skewed.lock().unwrap_or_else(PoisonError::into_inner).is_due(Instant::now())
    }

    /// Takes the keys from `source`, and goes on taking them in a task. A file has to be good at
    /// the start; an URL may be reached later.
    pub(crate) async fn follow(&self, source: JwksSource) -> Result<tokio::task::JoinHandle<()>, KeyError> {
        let is_file = matches!(source, JwksSource::File(_));
        let reader = Reader::new(source)?;
        if let Err(error) = self.read(&reader).await {
            if is_file {
                return Err(error);
            }
            tracing::error!(%error, "no tokens can be checked yet");
        }
        let ring = self.clone();
        Ok(tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = sleep(READ_INTERVAL) => {}
                    () = ring.unknown.notified() => {}
                }
                if let Err(error) = ring.read(&reader).await {
                    tracing::warn!(%error, "the keys stay as they are");
                }
                sleep(READ_PAUSE).await;
            }
        }))
    }

    /// How many keys `source` has now; takes none of them.
    pub(crate) async fn look(&self, source: JwksSource) -> Result<usize, KeyError> {
        let set = Reader::new(source)?.read().await?;
        self.fixed.with(Some(&set))?;
        Ok(set.keys.len())
    }

    async fn read(&self, reader: &Reader) -> Result<(), KeyError> {
        let keys = self.fixed.with(Some(&reader.read().await?))?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(())
    }
}

impl Fixed {
    fn with(&self, set: Option<&JwkSet>) -> Result<TokenKeys, KeyError> {
        let mut keys = TokenKeys::new(self.audience.clone(), self.issuer.clone());
        self.own.iter().try_for_each(|jwk| keys.add(jwk))?;
        if let Some(set) = set {
            keys.add_set(set)?;
        }
        Ok(keys)
    }
}
