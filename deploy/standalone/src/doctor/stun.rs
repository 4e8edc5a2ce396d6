//! As much of STUN (RFC 8489) as it takes to look: an ICE check (RFC 8445) and a TURN allocation (RFC 8656).

use aws_lc_rs::hmac;
use md5::{Digest, Md5};

const BINDING: u16 = 0x0001;
const ALLOCATE: u16 = 0x0003;
const REFRESH: u16 = 0x0004;
const SUCCESS: u16 = 0x0100;
const FAILURE: u16 = 0x0110;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER_BYTES: usize = 20;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const LIFETIME: u16 = 0x000d;
const REALM: u16 = 0x0014;
const NONCE: u16 = 0x0015;
const REQUESTED_TRANSPORT: u16 = 0x0019;
const PRIORITY: u16 = 0x0024;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLING: u16 = 0x802a;

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Bound,
    Allocated,
    /// 401 or 438 with what a credential needs.
    Challenge {
        realm: String,
        nonce: String,
    },
    Refused(u16),
}

/// Long-term credentials (RFC 8489 section 9.2).
pub(super) struct Login<'a> {
    pub(super) name: &'a str,
    pub(super) password: &'a str,
    pub(super) realm: &'a str,
    pub(super) nonce: &'a str,
}

struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16) -> Self {
        let transaction: [u8; 12] = rand::random();
        Self([&kind.to_be_bytes()[..], &[0, 0], &COOKIE, &transaction].concat())
    }

    fn add(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.0.extend(kind.to_be_bytes());
        self.0.extend(length.to_be_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self.set_length(self.0.len());
    }

    /// The header counts what follows it, up to `end`.
    fn set_length(&mut self, end: usize) {
        let length = u16::try_from(end.saturating_sub(HEADER_BYTES)).unwrap_or(u16::MAX);
        if let Some(place) = self.0.get_mut(2..4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }

    /// MESSAGE-INTEGRITY counts itself in the length that it signs.
    fn sign(&mut self, key: &[u8]) {
        self.set_length(self.0.len() + 24);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        let tag = hmac::sign(&key, &self.0);
        self.add(MESSAGE_INTEGRITY, tag.as_ref());
    }

    fn print(&mut self) {
        self.set_length(self.0.len() + 8);
        let print = crc32(&self.0) ^ 0x5354_554e;
        self.add(FINGERPRINT, &print.to_be_bytes());
    }
}

/// An ICE check for who has these credentials (ufrag and password of the node).
pub(super) fn ice_check(ufrag: &str, password: &str) -> Vec<u8> {
    let mut check = Message::new(BINDING);
    check.add(USERNAME, format!("{ufrag}:doctor").as_bytes());
    check.add(PRIORITY, &0x6e00_1eff_u32.to_be_bytes());
    check.add(ICE_CONTROLLING, &rand::random::<u64>().to_be_bytes());
    check.sign(password.as_bytes());
    check.print();
    check.0
}

pub(super) fn allocate(login: Option<&Login<'_>>) -> Vec<u8> {
    const UDP: [u8; 4] = [17, 0, 0, 0];
    signed(ALLOCATE, REQUESTED_TRANSPORT, &UDP, login)
}

/// An allocation's end.
pub(super) fn release(login: &Login<'_>) -> Vec<u8> {
    signed(REFRESH, LIFETIME, &[0; 4], Some(login))
}

fn signed(kind: u16, attribute: u16, value: &[u8], login: Option<&Login<'_>>) -> Vec<u8> {
    let mut message = Message::new(kind);
    message.add(attribute, value);
    if let Some(Login { name, password, realm, nonce }) = login {
        message.add(USERNAME, name.as_bytes());
        message.add(REALM, realm.as_bytes());
        message.add(NONCE, nonce.as_bytes());
        message.sign(&Md5::digest(format!("{name}:{realm}:{password}")));
    }
    message.0
}

/// None: it is no answer to `request`.
pub(super) fn read(datagram: &[u8], request: &[u8]) -> Option<Answer> {
    let header = datagram.get(..HEADER_BYTES)?;
    if header.get(4..) != request.get(4..HEADER_BYTES) {
        return None;
    }
    let kind = u16::from_be_bytes([*header.first()?, *header.get(1)?]);
    let attribute = |wanted: u16| {
        let mut rest = datagram.get(HEADER_BYTES..)?;
        loop {
            let [a, b, c, d] = *rest.first_chunk::<4>()?;
            let length = usize::from(u16::from_be_bytes([c, d]));
            let value = rest.get(4..4 + length)?;
            if u16::from_be_bytes([a, b]) == wanted {
                return Some(value);
            }
            rest = rest.get(4 + length.next_multiple_of(4)..)?;
        }
    };
    let text = |wanted| Some(String::from_utf8_lossy(attribute(wanted)?).into_owned());
    match kind {
        _ if kind == BINDING | SUCCESS => Some(Answer::Bound),
        _ if kind == ALLOCATE | SUCCESS => Some(Answer::Allocated),
        _ if kind & FAILURE == FAILURE => {
            let [_, _, class, number, ..] = *attribute(ERROR_CODE)? else { return None };
            let code = u16::from(class & 7) * 100 + u16::from(number);
            match (code, text(REALM), text(NONCE)) {
                (401 | 438, Some(realm), Some(nonce)) => Some(Answer::Challenge { realm, nonce }),
                _ => Some(Answer::Refused(code)),
            }
        }
        _ => None,
    }
}

/// ISO 3309, as FINGERPRINT wants it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_as_long_as_it_says_and_ends_with_its_fingerprint() {
        let check = ice_check("ufrag", "password");
        assert_eq!(usize::from(u16::from_be_bytes([check[2], check[3]])), check.len() - HEADER_BYTES);
        let (before, print) = check.split_at(check.len() - 8);
        assert_eq!(print[..4], [0x80, 0x28, 0, 4]);
        assert_eq!(print[4..], (crc32(before) ^ 0x5354_554e).to_be_bytes());
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn answers_to_others_and_garbage_are_none() {
        let request = allocate(None);
        let mut answer = request.clone();
        answer[0] = 1;
        assert_eq!(read(&answer, &request), Some(Answer::Allocated));
        assert_eq!(read(&answer, &allocate(None)), None);
        for cut in 0..answer.len() {
            _ = read(&answer[..cut], &request);
        }
        answer[1] = 0x13;
        assert_eq!(read(&answer, &request), None);
    }
}
