//! What an ICE-lite agent needs of STUN (RFC 8489, RFC 8445): Binding requests in, success responses
//! out.
//!
//! All own code, and not the `stun` crate: its messages allocate per attribute, and with these few
//! attributes encoding is the smaller part. The crate checks this code in the tests.

mod fingerprint;

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use aws_lc_rs::hmac;
use thiserror::Error;

use super::{MAX_DATAGRAM, WriteError, Writer, u16_at, u32_at};

/// Longest response of [`write_binding_success`], in bytes: that to an IPv6 address.
pub const BINDING_SUCCESS_MAX: usize = 76;

const HEADER: usize = 20;
const MAGIC_COOKIE: u32 = 0x2112_a442;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
const ICE_CONTROLLING: u16 = 0x802a;
/// From here on an attribute not understood may be passed over (RFC 8489 section 14).
const OPTIONAL: u16 = 0x8000;

const INTEGRITY_LEN: usize = 20;
/// RFC 8489 section 14.3: below 509 bytes.
const USERNAME_MAX: usize = 508;
/// RFC 8839 section 5.4.
const UFRAG_LEN: std::ops::RangeInclusive<usize> = 4..=256;

/// Why a datagram is no Binding request to be looked at. None of them is answered.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each message says what was wrong")]
pub enum StunError {
    /// Shorter than the longest answer: an answer must not amplify. Real checks have 88 bytes and more.
    #[error("shorter than its answer")]
    TooShort,
    #[error("longer than a datagram may be")]
    TooLong,
    #[error("no Binding request")]
    NotBindingRequest,
    #[error("wrong magic cookie")]
    BadCookie,
    #[error("length is not the datagram's")]
    BadLength,
    #[error("attribute past the end")]
    AttributePastEnd,
    #[error("attribute of a wrong length")]
    BadAttributeLength,
    #[error("attribute twice")]
    DuplicateAttribute,
    #[error("attribute behind MESSAGE-INTEGRITY")]
    AttributeAfterIntegrity,
    #[error("attribute behind FINGERPRINT")]
    AttributeAfterFingerprint,
    #[error("attribute not understood that must be")]
    UnknownAttribute,
    #[error("user name is not two ICE user fragments")]
    BadUsername,
    #[error("both controlling and controlled")]
    ConflictingRoles,
    #[error("no USERNAME")]
    NoUsername,
    #[error("no MESSAGE-INTEGRITY")]
    NoIntegrity,
    #[error("no FINGERPRINT")]
    NoFingerprint,
    #[error("wrong FINGERPRINT")]
    BadFingerprint,
}

/// The key of one ICE password, ready for use (RFC 8489 section 9.1.1: the password itself).
#[derive(Clone)]
pub struct IntegrityKey(hmac::Key);

impl IntegrityKey {
    /// Hashes the password once, for all checks.
    pub fn new(password: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password))
    }

    /// HMAC over a message up to its MESSAGE-INTEGRITY at `end`, with the length field counting that
    /// attribute as the last.
    fn sign(&self, message: &[u8], end: usize) -> Option<hmac::Tag> {
        let length = u16::try_from(end.checked_sub(HEADER)? + 4 + INTEGRITY_LEN).ok()?;
        let mut context = hmac::Context::with_key(&self.0);
        context.update(message.get(..2)?);
        context.update(&length.to_be_bytes());
        context.update(message.get(4..end)?);
        Some(context.sign())
    }
}

impl std::fmt::Debug for IntegrityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IntegrityKey(..)")
    }
}

/// A well-formed connectivity check; its integrity is still to be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingRequest<'a> {
    /// Repeated in the answer.
    pub transaction_id: [u8; 12],
    /// The receiver's user fragment, a colon, the sender's.
    pub username: &'a str,
    /// USE-CANDIDATE: the peer nominates this address.
    pub use_candidate: bool,
    /// PRIORITY (RFC 8445 section 7.1.1): what a candidate found by this check would have.
    pub priority: Option<u32>,
    /// The peer's tie-breaker; `None` if it claims the controlled role or none.
    pub ice_controlling: Option<u64>,
    /// Where the MESSAGE-INTEGRITY attribute's value lies in the datagram.
    pub integrity: Range<usize>,
}

impl<'a> BindingRequest<'a> {
    /// Checks a datagram to its last byte. Attributes must lie inside it, known ones at most once,
    /// nothing but FINGERPRINT behind MESSAGE-INTEGRITY and nothing behind FINGERPRINT.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, StunError> {
        if datagram.len() < BINDING_SUCCESS_MAX {
            return Err(StunError::TooShort);
        }
        if datagram.len() > MAX_DATAGRAM {
            return Err(StunError::TooLong);
        }
        if u16_at(datagram, 0) != Some(BINDING_REQUEST) {
            return Err(StunError::NotBindingRequest);
        }
        if u32_at(datagram, 4) != Some(MAGIC_COOKIE) {
            return Err(StunError::BadCookie);
        }
        let length = u16_at(datagram, 2).map(usize::from);
        if length.is_none() || length != datagram.len().checked_sub(HEADER) {
            return Err(StunError::BadLength);
        }
        let id = datagram.get(8..).and_then(<[u8]>::first_chunk).ok_or(StunError::TooShort)?;
        let attributes = Attributes::collect(datagram)?;
        if attributes.controlling.is_some() && attributes.controlled.is_some() {
            return Err(StunError::ConflictingRoles);
        }
        let username = attributes.username.ok_or(StunError::NoUsername)?;
        let integrity = attributes.integrity.ok_or(StunError::NoIntegrity)?;
        attributes.fingerprint.ok_or(StunError::NoFingerprint)?;
        Ok(Self {
            transaction_id: *id,
            username,
            use_candidate: attributes.use_candidate.is_some(),
            priority: attributes.priority,
            ice_controlling: attributes.controlling,
            integrity,
        })
    }

    /// The receiver's user fragment.
    pub fn local_ufrag(&self) -> &'a str {
        self.ufrags().0
    }

    /// The sender's user fragment.
    pub fn remote_ufrag(&self) -> &'a str {
        self.ufrags().1
    }

    fn ufrags(&self) -> (&'a str, &'a str) {
        self.username.split_once(':').unwrap_or((self.username, ""))
    }

    /// Whether `datagram`, from which this was parsed, was made by one who knows the password.
    /// The comparison takes the same time wherever the values differ.
    pub fn verify_integrity(&self, datagram: &[u8], key: &IntegrityKey) -> bool {
        let Some(attribute) = self.integrity.start.checked_sub(4) else { return false };
        let Some(expected) = key.sign(datagram, attribute) else { return false };
        let Some(given) = datagram.get(self.integrity.clone()) else { return false };
        aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_ref(), given).is_ok()
    }
}

/// What was found on the walk; each at most once.
#[derive(Default)]
struct Attributes<'a> {
    username: Option<&'a str>,
    priority: Option<u32>,
    use_candidate: Option<()>,
    controlling: Option<u64>,
    controlled: Option<u64>,
    integrity: Option<Range<usize>>,
    fingerprint: Option<()>,
}

impl<'a> Attributes<'a> {
    fn collect(datagram: &'a [u8]) -> Result<Self, StunError> {
        let mut found = Self::default();
        let mut at = HEADER;
        while at < datagram.len() {
            let kind = u16_at(datagram, at).ok_or(StunError::AttributePastEnd)?;
            let len = usize::from(u16_at(datagram, at + 2).ok_or(StunError::AttributePastEnd)?);
            let value = datagram.get(at + 4..at + 4 + len).ok_or(StunError::AttributePastEnd)?;
            let next = at + 4 + len.next_multiple_of(4);
            if next > datagram.len() {
                return Err(StunError::AttributePastEnd);
            }
            found.take(datagram, kind, at, value)?;
            at = next;
        }
        Ok(found)
    }

    fn take(&mut self, datagram: &[u8], kind: u16, at: usize, value: &'a [u8]) -> Result<(), StunError> {
        if self.fingerprint.is_some() {
            return Err(StunError::AttributeAfterFingerprint);
        }
        if self.integrity.is_some() && kind != FINGERPRINT {
            return Err(StunError::AttributeAfterIntegrity);
        }
        match kind {
            USERNAME => once(&mut self.username, username(value)?),
            PRIORITY => once(&mut self.priority, u32::from_be_bytes(exactly(value)?)),
            USE_CANDIDATE => once(&mut self.use_candidate, exactly::<0>(value).map(|_| ())?),
            ICE_CONTROLLING => once(&mut self.controlling, u64::from_be_bytes(exactly(value)?)),
            ICE_CONTROLLED => once(&mut self.controlled, u64::from_be_bytes(exactly(value)?)),
            MESSAGE_INTEGRITY => {
                exactly::<INTEGRITY_LEN>(value)?;
                once(&mut self.integrity, at + 4..at + 4 + INTEGRITY_LEN)
            }
            FINGERPRINT => {
                let message = datagram.get(..at).ok_or(StunError::AttributePastEnd)?;
                if u32::from_be_bytes(exactly(value)?) != fingerprint::of(message) {
                    return Err(StunError::BadFingerprint);
                }
                once(&mut self.fingerprint, ())
            }
            OPTIONAL.. => Ok(()),
            _ => Err(StunError::UnknownAttribute),
        }
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), StunError> {
    match place.replace(value) {
        Some(_) => Err(StunError::DuplicateAttribute),
        None => Ok(()),
    }
}

fn exactly<const N: usize>(value: &[u8]) -> Result<[u8; N], StunError> {
    value.try_into().map_err(|_| StunError::BadAttributeLength)
}

fn username(value: &[u8]) -> Result<&str, StunError> {
    if value.len() > USERNAME_MAX {
        return Err(StunError::BadAttributeLength);
    }
    let name = std::str::from_utf8(value).map_err(|_| StunError::BadUsername)?;
    let (local, remote) = name.split_once(':').ok_or(StunError::BadUsername)?;
    if !UFRAG_LEN.contains(&local.len()) || !UFRAG_LEN.contains(&remote.len()) {
        return Err(StunError::BadUsername);
    }
    Ok(name)
}

/// Writes the answer to a verified check and returns its length: 64 bytes to an IPv4 address, 76 to
/// an IPv6 one, never more than the request had. An IPv4-mapped address is written as IPv4.
pub fn write_binding_success(
    out: &mut [u8; BINDING_SUCCESS_MAX],
    transaction_id: &[u8; 12],
    mapped: SocketAddr,
    key: &IntegrityKey,
) -> usize {
    // The buffer holds the longest response, so no step of this can fail.
    put_binding_success(out, transaction_id, mapped, key).unwrap_or_default()
}

fn put_binding_success(
    out: &mut [u8],
    transaction_id: &[u8; 12],
    mapped: SocketAddr,
    key: &IntegrityKey,
) -> Result<usize, WriteError> {
    let mut writer = Writer::new(out);
    writer.put_u16(BINDING_SUCCESS)?;
    writer.put_u16(0)?;
    writer.put_u32(MAGIC_COOKIE)?;
    writer.put(transaction_id)?;
    put_xor_mapped_address(&mut writer, transaction_id, mapped)?;
    let tag = key.sign(writer.written(), writer.len()).ok_or(WriteError::NoRoom)?;
    writer.put_u16(MESSAGE_INTEGRITY)?;
    writer.put_u16(20)?;
    writer.put(tag.as_ref())?;
    let length = u16::try_from(writer.len() + 8 - HEADER).map_err(|_| WriteError::NoRoom)?;
    writer.patch_u16(2, length)?;
    let fingerprint = fingerprint::of(writer.written());
    writer.put_u16(FINGERPRINT)?;
    writer.put_u16(4)?;
    writer.put_u32(fingerprint)?;
    Ok(writer.len())
}

/// The address under a mask, so that no middlebox rewrites it (RFC 8489 section 14.2).
fn put_xor_mapped_address(
    writer: &mut Writer<'_>,
    transaction_id: &[u8; 12],
    mapped: SocketAddr,
) -> Result<(), WriteError> {
    let [c0, c1, ..] = MAGIC_COOKIE.to_be_bytes();
    let port = mapped.port() ^ u16::from_be_bytes([c0, c1]);
    writer.put_u16(XOR_MAPPED_ADDRESS)?;
    match mapped.ip().to_canonical() {
        IpAddr::V4(ip) => {
            writer.put(&[0, 8, 0, 1])?;
            writer.put_u16(port)?;
            writer.put_u32(ip.to_bits() ^ MAGIC_COOKIE)
        }
        IpAddr::V6(ip) => {
            let mut mask = [0; 16];
            let (cookie, id) = mask.split_at_mut(4);
            cookie.copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
            id.copy_from_slice(transaction_id);
            writer.put(&[0, 20, 0, 2])?;
            writer.put_u16(port)?;
            writer.put(&(ip.to_bits() ^ u128::from_be_bytes(mask)).to_be_bytes())
        }
    }
}

#[cfg(test)]
mod tests;
