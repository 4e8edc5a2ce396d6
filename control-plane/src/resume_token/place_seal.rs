//! Where a session's room is, kept in its resume token for a replica that cannot read etcd: node, address of its
//! control link, run and epoch. It is encrypted and authenticated with a key that all replicas have, since
//! a replica connects to what it names; a client can neither read nor change it, and another user's or
//! another token's opens nothing.

use super::token::ResumeToken;
use crate::media_client::Place;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use railgun_protocol::ids::UserId;
use std::fmt;

/// Between the token itself and where its session is.
const SEPARATOR: char = '.';
/// The longest text of a place. A node's name has 64 bytes at most, and a host's 253.
const TEXT_MAX: usize = 1024;
/// What the key is for: the file it comes from has another use.
const PURPOSE: &[u8] = b"railgun: place in a resume token, 1";

/// Seals and opens places. Without a key, tokens carry none.
#[derive(Default)]
pub(crate) struct PlaceSeal(Option<hmac::Key>);

impl fmt::Debug for PlaceSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlaceSeal(..)")
    }
}

impl PlaceSeal {
    /// `shared` is a secret that all replicas have and nobody else.
    pub(crate) fn of(shared: &[u8]) -> Self {
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, shared), PURPOSE);
        Self(Some(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())))
    }

    /// As the client gets the token.
    pub(crate) fn text(&self, token: &ResumeToken, user: &UserId, place: Option<&Place>) -> String {
        match place.and_then(|place| self.seal(token, user, place)) {
            Some(sealed) => format!("{}{SEPARATOR}{}", token.text(), BASE64_URL_SAFE_NO_PAD.encode(sealed)),
            None => token.text(),
        }
    }

    /// None: nothing of ours. A place that does not open is as good as none: its key may have been changed.
    pub(crate) fn read(&self, text: &str, user: &UserId) -> Option<ResumeToken> {
        let (token, sealed) = match text.split_once(SEPARATOR) {
            Some((token, sealed)) => (token, Some(sealed)),
            None => (text, None),
        };
        let mut token = ResumeToken::read(token)?;
        token.place = sealed.and_then(|sealed| self.open(&token, user, sealed));
        Some(token)
    }

    /// A key for this token in this user's hands.
    fn key(&self, token: &ResumeToken, user: &UserId) -> Option<LessSafeKey> {
        let mut key = hmac::Context::with_key(self.0.as_ref()?);
        key.update(&token.digest().0);
        key.update(user.as_str().as_bytes());
        let key = UnboundKey::new(&AES_256_GCM, key.sign().as_ref()).ok()?;
        Some(LessSafeKey::new(key))
    }

    fn seal(&self, token: &ResumeToken, user: &UserId, place: &Place) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut text = serde_json::to_vec(place).ok()?;
        let key = self.key(token, user)?;
        let nonce_of_key = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce_of_key, Aad::empty(), &mut text).ok()?;
        Some([&nonce[..], &text].concat())
    }

    fn open(&self, token: &ResumeToken, user: &UserId, sealed: &str) -> Option<Place> {
        if sealed.len() > TEXT_MAX {
            return None;
        }
        let mut sealed = BASE64_URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = sealed.split_first_chunk_mut::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let text = self.key(token, user)?.open_in_place(nonce, Aad::empty(), sealed).ok()?;
        serde_json::from_slice(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_protocol::ids::{BootId, ChannelId, NodeId, SessionId};

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn token() -> ResumeToken {
        ResumeToken::new(SessionId::from_bits(7), ChannelId::new("c").unwrap())
    }

    fn place() -> Place {
        let (node, boot_id) = (NodeId::new("media-0").unwrap(), BootId::from_bits(5));
        Place { node, address: "10.0.0.1:50051".into(), boot_id, epoch: 9 }
    }

    #[test]
    fn every_replica_with_the_key_reads_where_the_session_is_and_its_client_does_not() {
        let token = token();
        let text = PlaceSeal::of(b"key").text(&token, &user("ada"), Some(&place()));
        let read = PlaceSeal::of(b"key").read(&text, &user("ada")).unwrap();
        assert!(read.digest() == token.digest() && read.place == Some(place()));
        let (_, sealed) = text.split_once(SEPARATOR).unwrap();
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(sealed).unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"10.0.0."), "an address is told to nobody");
        assert_ne!(text, PlaceSeal::of(b"key").text(&token, &user("ada"), Some(&place())));
    }

    #[test]
    fn a_place_that_is_forged_foreign_or_of_another_token_is_none() {
        let (seal, ada, token) = (PlaceSeal::of(b"key"), user("ada"), token());
        let text = seal.text(&token, &ada, Some(&place()));
        let (mine, sealed) = text.split_once(SEPARATOR).unwrap();
        let other = ResumeToken::new(token.session(), token.channel().clone()).text();
        let placeless = |seal: &PlaceSeal, text: &str, user: &UserId| {
            let read = seal.read(text, user).expect("the token itself is good");
            assert_eq!(read.place, None, "{text}");
        };
        placeless(&seal, &text, &user("eve"));
        placeless(&PlaceSeal::of(b"another key"), &text, &ada);
        placeless(&PlaceSeal::default(), &text, &ada);
        placeless(&seal, &format!("{other}{SEPARATOR}{sealed}"), &ada);
        let made_up = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&place()).unwrap());
        let long = "A".repeat(TEXT_MAX + 1);
        for wrong in ["", "????", "AAAA", &sealed[..sealed.len() - 4], &made_up, &long] {
            placeless(&seal, &format!("{mine}{SEPARATOR}{wrong}"), &ada);
        }
        let mut bent = BASE64_URL_SAFE_NO_PAD.decode(sealed).unwrap();
        for at in 0..bent.len() {
            bent[at] ^= 1;
            placeless(&seal, &format!("{mine}{SEPARATOR}{}", BASE64_URL_SAFE_NO_PAD.encode(&bent)), &ada);
            bent[at] ^= 1;
        }
        assert!(seal.read(&format!("x{SEPARATOR}{sealed}"), &ada).is_none());
    }

    #[test]
    fn without_a_key_or_a_place_a_token_is_as_before() {
        let token = token();
        assert_eq!(PlaceSeal::default().text(&token, &user("ada"), Some(&place())), token.text());
        assert_eq!(PlaceSeal::of(b"key").text(&token, &user("ada"), None), token.text());
    }
}
