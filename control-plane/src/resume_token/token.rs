//! What a new socket shows to take up a session whose old one was lost: whose session, a secret, and
//! the channel, by which any replica finds the room. Only its digest is ever stored or sent on.

use crate::media_client::Place;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use railgun_protocol::ids::{ChannelId, SessionId};
use railgun_protocol::media_rpc::TokenDigest;
use sha2::{Digest, Sha256};
use std::fmt;

const SESSION_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;
/// The longest text of a token: base64 takes four characters for three bytes.
const TEXT_MAX: usize = (SESSION_BYTES + SECRET_BYTES + ChannelId::MAX_BYTES).div_ceil(3) * 4;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ResumeToken {
    session: SessionId,
    channel: ChannelId,
    secret: [u8; SECRET_BYTES],
    /// Where the room was, of a token that was shown; not of what its digest is made.
    pub(super) place: Option<Place>,
}

impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeToken(..)")
    }
}

impl ResumeToken {
    /// A fresh one.
    pub(crate) fn new(session: SessionId, channel: ChannelId) -> Self {
        Self { session, channel, secret: rand::random(), place: None }
    }

    pub(crate) fn session(&self) -> SessionId {
        self.session
    }

    pub(crate) fn channel(&self) -> &ChannelId {
        &self.channel
    }

    /// Where the room was when the token was made, if a replica said so.
    pub(crate) fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    fn bytes(&self) -> Vec<u8> {
        let session = self.session.to_bits().to_be_bytes();
        [&session[..], &self.secret, self.channel.as_str().as_bytes()].concat()
    }

    pub(crate) fn digest(&self) -> TokenDigest {
        TokenDigest(Sha256::digest(self.bytes()).into())
    }

    /// As the client gets it, without where its session is.
    pub(super) fn text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.bytes())
    }

    /// None: nothing of ours.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.len() > TEXT_MAX {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (session, rest) = bytes.split_first_chunk::<SESSION_BYTES>()?;
        let (secret, channel) = rest.split_first_chunk::<SECRET_BYTES>()?;
        let channel = ChannelId::new(std::str::from_utf8(channel).ok()?).ok()?;
        let session = SessionId::from_bits(u128::from_be_bytes(*session));
        Some(Self { session, channel, secret: *secret, place: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(channel: &str) -> ResumeToken {
        ResumeToken::new(SessionId::from_bits(7), ChannelId::new(channel).unwrap())
    }

    #[test]
    fn a_token_reads_back_and_no_two_are_alike() {
        for channel in ["c", "é", &"x".repeat(ChannelId::MAX_BYTES)] {
            let token = token(channel);
            let read = ResumeToken::read(&token.text()).unwrap();
            assert!(read == token && read.digest() == token.digest(), "{channel}");
        }
        assert_ne!(token("c").text(), token("c").text());
    }

    #[test]
    fn another_session_channel_or_secret_has_another_digest() {
        let one = token("c");
        let other = ResumeToken { session: SessionId::from_bits(8), ..one.clone() };
        let elsewhere = ResumeToken { channel: ChannelId::new("d").unwrap(), ..one.clone() };
        assert!(one.digest() != other.digest() && one.digest() != elsewhere.digest());
        assert!(one.digest() != token("c").digest());
    }

    #[test]
    fn what_is_no_token_is_none() {
        let good = token("c").text();
        let short = BASE64_URL_SAFE_NO_PAD.encode([1; SESSION_BYTES + SECRET_BYTES]);
        let control = BASE64_URL_SAFE_NO_PAD.encode([&[1; SESSION_BYTES + SECRET_BYTES][..], b"\n"].concat());
        let not_utf8 = BASE64_URL_SAFE_NO_PAD.encode([0xff; SESSION_BYTES + SECRET_BYTES + 1]);
        let long = BASE64_URL_SAFE_NO_PAD.encode([b'a'; SESSION_BYTES + SECRET_BYTES + 129]);
        for wrong in ["", "????", &format!("{good}="), &good[..20], &short, &control, &not_utf8, &long] {
            assert!(ResumeToken::read(wrong).is_none(), "{wrong}");
        }
        assert_eq!(format!("{:?}", token("c")), "ResumeToken(..)");
    }
}
