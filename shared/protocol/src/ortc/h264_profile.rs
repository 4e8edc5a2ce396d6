//! H.264 `profile-level-id` (RFC 6184 §8.1): three bytes in hexadecimal, of which the first two
//! name a profile and the last a level.

use crate::rtp_parameters::CodecParameters;
use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    Extended,
    ConstrainedHigh,
    High,
    PredictiveHigh444,
}

/// Ordered by what it allows. Twice `level_idc`, so that 1b has a place between 1 and 1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Level(u8);

const LEVEL_1B: Level = Level(21);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProfileLevelId {
    pub(super) profile: Profile,
    pub(super) level: Level,
}

/// Implementations of WebRTC take an absent value as constrained baseline at level 3.1, not as
/// the baseline at level 1 that the RFC infers.
const ABSENT: ProfileLevelId = ProfileLevelId { profile: Profile::ConstrainedBaseline, level: Level(62) };

impl ProfileLevelId {
    /// None if it is there and cannot be read.
    pub(super) fn of(parameters: &CodecParameters) -> Option<Self> {
        match parameters.get(PROFILE_LEVEL_ID) {
            None => Some(ABSENT),
            Some(Value::String(text)) => Self::parse(text),
            Some(_) => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let [_, idc, flags, level_idc] = u32::from_str_radix(text, 16).ok()?.to_be_bytes();
        let profile = profile(idc, flags)?;
        Some(Self { profile, level: level(profile, flags, level_idc)? })
    }
}

/// RFC 6184 table 5, and constrained high as WebRTC names it.
fn profile(idc: u8, flags: u8) -> Option<Profile> {
    const SET_0: u8 = 0x80;
    const SET_1: u8 = 0x40;
    const SET_2: u8 = 0x20;
    if flags & 0x0f != 0 && !(idc == 0x64 && flags == 0x0c) {
        return None;
    }
    match idc {
        0x42 if flags & SET_1 != 0 => Some(Profile::ConstrainedBaseline),
        0x42 => Some(Profile::Baseline),
        0x4d if flags & SET_0 != 0 => Some(Profile::ConstrainedBaseline),
        0x4d if flags & SET_2 == 0 => Some(Profile::Main),
        0x58 if flags & (SET_0 | SET_1) == SET_0 | SET_1 => Some(Profile::ConstrainedBaseline),
        0x58 if flags & SET_0 != 0 => Some(Profile::Baseline),
        0x58 if flags & SET_1 == 0 => Some(Profile::Extended),
        0x64 if flags == 0 => Some(Profile::High),
        0x64 if flags == 0x0c => Some(Profile::ConstrainedHigh),
        0xf4 if flags == 0 => Some(Profile::PredictiveHigh444),
        _ => None,
    }
}

/// H.264 annex A.3. Level 1b is 11 with constraint flag 3 in the older profiles, 9 in the others.
fn level(profile: Profile, flags: u8, level_idc: u8) -> Option<Level> {
    let flag_3 = flags & 0x10 != 0;
    let older = matches!(
        profile,
        Profile::ConstrainedBaseline | Profile::Baseline | Profile::Main | Profile::Extended
    );
    match level_idc {
        11 if older && flag_3 => Some(LEVEL_1B),
        9 if !older => Some(LEVEL_1B),
        10..=13 | 20..=22 | 30..=32 | 40..=42 | 50..=52 => Some(Level(level_idc * 2)),
        _ => None,
    }
}

pub(super) const PROFILE_LEVEL_ID: &str = "profile-level-id";

/// The `profile-level-id` to answer an offer of the same profile with: the lower level of the two,
/// or our own if both sides allow the directions to differ (`level-asymmetry-allowed`).
///
/// None: neither names one.
pub(super) fn answer<'a>(own: &'a CodecParameters, other: &'a CodecParameters) -> Option<&'a Value> {
    let (own_text, other_text) = (own.get(PROFILE_LEVEL_ID), other.get(PROFILE_LEVEL_ID));
    if asymmetry_allowed(own) && asymmetry_allowed(other) {
        return own_text.or(other_text);
    }
    match (ProfileLevelId::of(own), ProfileLevelId::of(other)) {
        (Some(own), Some(other)) if other.level < own.level => other_text.or(own_text),
        _ => own_text.or(other_text),
    }
}

fn asymmetry_allowed(parameters: &CodecParameters) -> bool {
    match parameters.get("level-asymmetry-allowed") {
        Some(Value::Number(number)) => number.as_u64() == Some(1),
        Some(Value::String(text)) => text == "1",
        Some(Value::Bool(allowed)) => *allowed,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(text: &str) -> Option<(Profile, u8)> {
        ProfileLevelId::parse(text).map(|id| (id.profile, id.level.0))
    }

    #[test]
    fn profiles_are_told_by_their_constraint_flags() {
        assert_eq!(parsed("42e01f"), Some((Profile::ConstrainedBaseline, 62)));
        assert_eq!(parsed("42001f"), Some((Profile::Baseline, 62)));
        assert_eq!(parsed("4D0028"), Some((Profile::Main, 80)));
        assert_eq!(parsed("640c34"), Some((Profile::ConstrainedHigh, 104)));
        assert_eq!(parsed("640034"), Some((Profile::High, 104)));
        assert_eq!(parsed("f4001f"), Some((Profile::PredictiveHigh444, 62)));
        assert_eq!(parsed("58f01f"), Some((Profile::ConstrainedBaseline, 62)));
    }

    #[test]
    fn level_1b_lies_between_1_and_1_1() {
        let level = |text| ProfileLevelId::parse(text).unwrap().level;
        assert!(level("42e00a") < level("42f00b"));
        assert!(level("42f00b") < level("42e00b"));
        assert_eq!(level("640009"), LEVEL_1B);
    }

    #[test]
    fn what_names_no_profile_or_level_is_refused() {
        for text in ["", "42e01", "42e01f0", "+2e01f", "42e0ff", "42e00e", "42ef1f", "00e01f", "64041f"] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn the_answer_has_the_lower_level_unless_both_allow_asymmetry() {
        let with = |id: &str, asymmetry: u8| {
            CodecParameters::from([
                (PROFILE_LEVEL_ID.to_owned(), json!(id)),
                ("level-asymmetry-allowed".to_owned(), json!(asymmetry)),
            ])
        };
        let answered = |own: &CodecParameters, other: &CodecParameters| answer(own, other).cloned();
        assert_eq!(answered(&with("42e034", 0), &with("42e01f", 1)), Some(json!("42e01f")));
        assert_eq!(answered(&with("42e00a", 0), &with("42e01f", 1)), Some(json!("42e00a")));
        assert_eq!(answered(&with("42e034", 1), &with("42e01f", 1)), Some(json!("42e034")));
        assert_eq!(answered(&CodecParameters::new(), &CodecParameters::new()), None);
    }
}
