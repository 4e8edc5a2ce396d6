//! The part of an MLSMessage that is not encrypted and says what it is (RFC 9420, sections 6 and 12.4.3). No more of
//! it is read: whether a signature holds is for members to say.

/// Bytes of a group's id that are taken; clients choose random ones of 16 or 32.
const GROUP_ID_BYTES_MAX: usize = 64;

const MLS_10: u16 = 1;
const PUBLIC_MESSAGE: u16 = 1;
const WELCOME: u16 = 3;
const GROUP_INFO: u16 = 4;

const SENDER_MEMBER: u8 = 1;
const SENDER_NEW_MEMBER_PROPOSAL: u8 = 3;
const SENDER_NEW_MEMBER_COMMIT: u8 = 4;
const CONTENT_PROPOSAL: u8 = 2;
const CONTENT_COMMIT: u8 = 3;

/// What a message says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Envelope<'a> {
    Proposal { group: &'a [u8], epoch: u64 },
    Commit { group: &'a [u8], epoch: u64 },
    Welcome,
    GroupInfo { group: &'a [u8], epoch: u64 },
}

/// None: it is none of these, not of MLS 1.0, or cut off.
pub(crate) fn read(message: &[u8]) -> Option<Envelope<'_>> {
    let mut reader = Reader(message);
    if reader.u16()? != MLS_10 {
        return None;
    }
    match reader.u16()? {
        PUBLIC_MESSAGE => {
            let (group, epoch) = (reader.group()?, reader.u64()?);
            let sender = reader.u8()?;
            if sender == SENDER_MEMBER {
                // The leaf.
                reader.take(4)?;
            }
            // What is authenticated and not encrypted: the application's.
            reader.vector()?;
            match (reader.u8()?, sender) {
                (CONTENT_PROPOSAL, SENDER_MEMBER | SENDER_NEW_MEMBER_PROPOSAL) => {
                    Some(Envelope::Proposal { group, epoch })
                }
                (CONTENT_COMMIT, SENDER_MEMBER | SENDER_NEW_MEMBER_COMMIT) => {
                    Some(Envelope::Commit { group, epoch })
                }
                _ => None,
            }
        }
        WELCOME => {
            // A cipher suite, and secrets for somebody.
            reader.u16()?;
            (!reader.0.is_empty()).then_some(Envelope::Welcome)
        }
        GROUP_INFO => {
            // Version and cipher suite of the group.
            reader.take(4)?;
            Some(Envelope::GroupInfo { group: reader.group()?, epoch: reader.u64()? })
        }
        _ => None,
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A vector with its length ahead in 1, 2 or 4 bytes, as few as it needs (RFC 9420, section 2.1.2).
    fn vector(&mut self) -> Option<&'a [u8]> {
        let first = self.u8()?;
        let (len, least) = match first >> 6 {
            0 => (u32::from(first), 0),
            1 => (u32::from(first & 0x3f) << 8 | u32::from(self.u8()?), 1 << 6),
            2 => {
                let [second, third, fourth] = self.array()?;
                (u32::from_be_bytes([first & 0x3f, second, third, fourth]), 1 << 14)
            }
            _ => return None,
        };
        if len < least {
            return None;
        }
        self.take(usize::try_from(len).ok()?)
    }

    fn group(&mut self) -> Option<&'a [u8]> {
        self.vector().filter(|id| (1..=GROUP_ID_BYTES_MAX).contains(&id.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A PublicMessage of group 7, epoch 9: its head.
    fn public(sender: &[u8], content: u8) -> Vec<u8> {
        let mut message = vec![0, 1, 0, 1, 1, 7];
        message.extend(9_u64.to_be_bytes());
        message.extend(sender);
        message.extend([2, 0xaa, 0xbb, content]);
        message
    }

    const MEMBER: [u8; 5] = [1, 0, 0, 0, 3];

    #[test]
    fn group_and_epoch_are_read_of_what_is_not_encrypted() {
        let group = &[7][..];
        assert_eq!(read(&public(&MEMBER, 2)), Some(Envelope::Proposal { group, epoch: 9 }));
        assert_eq!(read(&public(&[3], 2)), Some(Envelope::Proposal { group, epoch: 9 }));
        assert_eq!(read(&public(&MEMBER, 3)), Some(Envelope::Commit { group, epoch: 9 }));
        assert_eq!(read(&public(&[4], 3)), Some(Envelope::Commit { group, epoch: 9 }));
        assert_eq!(read(&[0, 1, 0, 3, 0, 1, 5]), Some(Envelope::Welcome));
        let info = [&[0, 1, 0, 4, 0, 1, 0, 1, 1, 7][..], &9_u64.to_be_bytes()].concat();
        assert_eq!(read(&info), Some(Envelope::GroupInfo { group, epoch: 9 }));
    }

    /// Written by the SDK's library for MLS.
    #[test]
    fn messages_of_real_clients_are_read() {
        let text = include_str!("../../../../shared/fixtures/e2ee/mls-messages.json");
        let vectors: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        assert!(vectors.len() > 5);
        let bytes = |hex: &str| -> Vec<u8> {
            hex.as_bytes()
                .chunks(2)
                .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect()
        };
        for vector in vectors {
            let message = bytes(vector["data"].as_str().unwrap());
            let group = vector["group"].as_str().map(bytes).unwrap_or_default();
            let (group, epoch) = (&group[..], vector["epoch"].as_u64().unwrap());
            let expected = match vector["kind"].as_str().unwrap() {
                "proposal" => Envelope::Proposal { group, epoch },
                "commit" => Envelope::Commit { group, epoch },
                "welcome" => Envelope::Welcome,
                "groupInfo" => Envelope::GroupInfo { group, epoch },
                other => panic!("{other}"),
            };
            assert_eq!(read(&message), Some(expected));
        }
    }

    #[test]
    fn anything_else_is_nothing() {
        // Applications' messages, senders from outside, and those who may not commit or propose.
        for (sender, content) in
            [(&MEMBER[..], 1), (&[2, 0, 0, 0, 0], 2), (&[2, 0, 0, 0, 0], 3), (&[3], 3), (&[4], 2), (&[0], 3)]
        {
            assert_eq!(read(&public(sender, content)), None, "{sender:?} {content}");
        }
        // PrivateMessage, KeyPackage, another version, and every cut.
        for wrong in [&[0, 1, 0, 2, 1][..], &[0, 1, 0, 5, 1], &[0, 2, 0, 1, 1], &[0, 1, 0, 3, 0, 1], &[]] {
            assert_eq!(read(wrong), None);
        }
        let whole = public(&MEMBER, 3);
        assert!((0..whole.len()).all(|len| read(&whole[..len]).is_none()));
    }

    #[test]
    fn a_length_is_written_in_as_few_bytes_as_it_needs() {
        let vector = |bytes: &'static [u8]| Reader(bytes).vector();
        assert_eq!(vector(&[0]), Some(&[][..]));
        assert_eq!(vector(&[0x40, 1, 5]), None);
        assert_eq!(vector(&[0x80, 0, 0, 1, 5]), None);
        assert_eq!(vector(&[0xc0, 0, 0, 0, 0, 0, 0, 0]), None);
        let long = [&[0x40, 0x40][..], &[3; 64]].concat();
        assert_eq!(Reader(&long).vector(), Some(&[3; 64][..]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            head in proptest::sample::select(vec![vec![], vec![0, 1, 0, 1], vec![0, 1, 0, 3], vec![0, 1, 0, 4]]),
            rest in proptest::collection::vec(any::<u8>(), 0..96),
        ) {
            let message = [head, rest].concat();
            if let Some(
                Envelope::Proposal { group, .. } | Envelope::Commit { group, .. } | Envelope::GroupInfo { group, .. },
            ) = read(&message)
            {
                prop_assert!((1..=GROUP_ID_BYTES_MAX).contains(&group.len()));
            }
        }
    }
}
