//! What everybody in a call has at one time: a secret, from an invite or from the members' group.

use super::format::{SframeError, number_of, vector};
use super::key::Suite;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use railgun_protocol::signal::Source;
use sha2::{Digest, Sha256};
use std::fmt;

const INVITE_PREFIX: &str = "rgi1.";
/// Groups of digits in a code.
const CODE_GROUPS: usize = 6;

/// What everybody in the call has.
#[derive(Clone)]
pub struct Epoch {
    pub(super) suite: Suite,
    pub(super) number: u64,
    pub(super) channel: String,
    pub(super) secret: [u8; 32],
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoch").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Epoch {
    /// Reads an invite to this channel.
    pub fn from_invite(invite: &str, channel: &str) -> Result<Self, SframeError> {
        let text = invite.strip_prefix(INVITE_PREFIX).ok_or(SframeError::Invite)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| SframeError::Invite)?;
        let bytes: [u8; 56] = bytes.try_into().map_err(|_| SframeError::Invite)?;
        let [1, _, high, low, rest @ ..] = bytes else { return Err(SframeError::Invite) };
        let (number, rest) = rest.split_at(4);
        let (of_channel, secret) = rest.split_at(16);
        if Sha256::digest(channel.as_bytes()).get(..16) != Some(of_channel) {
            return Err(SframeError::OtherChannel);
        }
        Ok(Self {
            suite: Suite::from_number(u16::from_be_bytes([high, low]))?,
            number: u32::from_be_bytes(number.try_into().map_err(|_| SframeError::Invite)?).into(),
            channel: channel.into(),
            secret: secret.try_into().map_err(|_| SframeError::Invite)?,
        })
    }

    /// An invite to an epoch of this secret, with the suite that everybody has.
    pub fn invite(number: u32, channel: &str, secret: [u8; 32]) -> String {
        let mut bytes = vec![1, 0, 0, 4];
        bytes.extend(number.to_be_bytes());
        bytes.extend(Sha256::digest(channel.as_bytes()).iter().take(16));
        bytes.extend(secret);
        format!("{INVITE_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// An epoch of a group, with the suite that everybody has. `number`: below 2^51.
    pub(crate) fn of_group(number: u64, channel: &str, secret: [u8; 32]) -> Self {
        Self { suite: Suite::Aes128GcmSha256, number, channel: channel.into(), secret }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// 30 digits, equal for all who have the secret.
    pub fn code(&self) -> String {
        let mut info = b"railgun e2ee 1 code".to_vec();
        info.extend(self.number_in_keys());
        vector(&mut info, &self.channel);
        let bytes: [u8; 5 * CODE_GROUPS] = self.suite.derive(&self.secret, &info);
        let value = |group: &[u8]| group.iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
        let groups: Vec<String> =
            bytes.chunks(5).map(|group| format!("{:05}", value(group) % 100_000)).collect();
        groups.join(" ")
    }

    /// The lower 32 bits of the number.
    fn number_in_keys(&self) -> [u8; 4] {
        let [.., a, b, c, d] = self.number.to_be_bytes();
        [a, b, c, d]
    }

    pub(super) fn base_key(&self, session: &str, source: Source) -> [u8; 32] {
        let mut info = b"railgun e2ee 1 sender".to_vec();
        info.extend(self.number_in_keys());
        vector(&mut info, &self.channel);
        vector(&mut info, session);
        info.push(number_of(source));
        self.suite.derive(&self.secret, &info)
    }

    /// `1 + (epoch - 1) mod 255`.
    pub(crate) fn id(&self) -> u8 {
        u8::try_from(1 + self.number.wrapping_sub(1) % 255).unwrap_or(1)
    }
}
