//! What this version writes into MLS (`docs/end-to-end-encryption.md`, Names, Repair): `vec(x)` is 2 bytes of length, then
//! `x`. And of a PublicMessage (RFC 9420, section 6.2) the key package that somebody proposes to be added by.

use crate::primitives::Failure;
use mls_rs::KeyPackage;
use mls_rs::mls_rs_codec::MlsDecode;

/// A commit that was applied, and the session that made it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Past {
    pub(crate) author: String,
    pub(crate) commit: Vec<u8>,
}

pub(crate) fn write_vec(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(bytes);
}

/// The bytes of one `vec`, and what follows it.
pub(crate) fn read_vec(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

/// `None`: not a sequence of `vec`.
fn read_vecs(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let (part, rest) = read_vec(bytes)?;
        parts.push(part);
        bytes = rest;
    }
    Some(parts)
}

/// The content of extension 0xf0e3 of a GroupContext: sessions whose commits nobody applies.
pub(crate) fn encode_sessions(sessions: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    sessions.iter().for_each(|session| write_vec(&mut out, session.as_bytes()));
    out
}

/// Empty if the bytes do not decode.
pub(crate) fn decode_sessions(bytes: &[u8]) -> Vec<String> {
    let parts = read_vecs(bytes).unwrap_or_default();
    parts.into_iter().filter_map(|part| String::from_utf8(part.to_vec()).ok()).collect()
}

/// The content of extension 0xf0e2 of a GroupInfo: the commits that led to its epoch, oldest first.
pub(crate) fn encode_commits(commits: &[Past]) -> Vec<u8> {
    let mut out = Vec::new();
    for Past { author, commit } in commits {
        write_vec(&mut out, author.as_bytes());
        write_vec(&mut out, commit);
    }
    out
}

/// Empty if the bytes do not decode.
pub(crate) fn decode_commits(bytes: &[u8]) -> Vec<Past> {
    let parts = read_vecs(bytes).unwrap_or_default();
    let pairs = parts.as_chunks::<2>().0.iter();
    let past = pairs.filter_map(|[author, commit]| {
        Some(Past { author: String::from_utf8(author.to_vec()).ok()?, commit: commit.to_vec() })
    });
    past.collect()
}

const VERSION: u16 = 1;
const PUBLIC_MESSAGE: u16 = 1;
const NEW_MEMBER_PROPOSAL: u8 = 3;
const PROPOSAL: u8 = 2;
const ADD: u16 = 1;

/// The key package of a PublicMessage with a `new_member_proposal` to add. Its signatures are not checked.
pub(crate) fn proposed_package(message: &[u8]) -> Result<KeyPackage, Failure> {
    let wrong = || Failure::from("no proposal to add oneself");
    let mut at = message;
    let mut begins = number::<2>(&mut at)? == u64::from(VERSION);
    begins &= number::<2>(&mut at)? == u64::from(PUBLIC_MESSAGE);
    let _group = Vec::<u8>::mls_decode(&mut at)?;
    let _epoch = number::<8>(&mut at)?;
    begins &= number::<1>(&mut at)? == u64::from(NEW_MEMBER_PROPOSAL);
    let _authenticated_data = Vec::<u8>::mls_decode(&mut at)?;
    begins &= number::<1>(&mut at)? == u64::from(PROPOSAL);
    begins &= number::<2>(&mut at)? == u64::from(ADD);
    if !begins {
        return Err(wrong());
    }
    let package = KeyPackage::mls_decode(&mut at)?;
    let _signature = Vec::<u8>::mls_decode(&mut at)?;
    at.is_empty().then_some(package).ok_or_else(wrong)
}

/// A big-endian integer of `N` bytes, at most 8.
fn number<const N: usize>(at: &mut &[u8]) -> Result<u64, Failure> {
    let (bytes, rest) = at.split_first_chunk::<N>().ok_or("the message ends too early")?;
    *at = rest;
    Ok(bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_and_commits_are_read_as_they_were_written() {
        let sessions = vec!["s1".to_owned(), String::new(), "s3".to_owned()];
        assert_eq!(decode_sessions(&encode_sessions(&sessions)), sessions);
        assert_eq!(encode_sessions(&["ab".to_owned()]), [0, 2, b'a', b'b']);
        let commits = [1, 2].map(|n| Past { author: format!("s{n}"), commit: vec![n; 300] });
        assert_eq!(decode_commits(&encode_commits(&commits)), commits);
        assert_eq!(decode_commits(&[0, 9, 1]), []);
        assert_eq!(decode_sessions(&[0]), Vec::<String>::new());
    }
}
