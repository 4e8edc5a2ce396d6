//! Labels of which there are only so many.

use crate::refusal::Refusal;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use railgun_protocol::signal::{ClientEvent, ErrorCode, NetworkType};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Regions that are told apart.
const REGIONS_MAX: usize = 64;
const REGION_BYTES_MAX: usize = 32;

/// A request's name, or `other`: clients may send any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct EventName(pub(super) &'static str);

impl EventName {
    pub(super) fn of(name: &str) -> Self {
        Self(ClientEvent::NAMES.into_iter().find(|known| *known == name).unwrap_or("other"))
    }
}

impl EncodeLabelValue for EventName {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)
    }
}

/// `ok`, or the error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Ok,
    Refused(ErrorCode),
}

impl Outcome {
    pub(crate) fn of<T>(result: &Result<T, Refusal>) -> Self {
        result.as_ref().map_or_else(|error| Self::Refused(error.code()), |_| Self::Ok)
    }
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        match self {
            Self::Ok => "ok".encode(encoder),
            Self::Refused(code) => code.as_str().encode(encoder),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfOutcome {
    pub(super) outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfEvent {
    pub(super) event: EventName,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfRequest {
    pub(super) event: EventName,
    pub(super) outcome: Outcome,
}

/// A media node, as its operators named it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfNode {
    pub(super) node: String,
}

/// A single word.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfKind {
    pub(super) kind: &'static str,
}

/// Where a join came from and what became of its media.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfMedia {
    pub(super) region: String,
    pub(super) network: &'static str,
    pub(super) outcome: &'static str,
}

/// Regions as tokens name them. An issuer names few; one that names many, or a claim that is no
/// short word, is `other`.
#[derive(Clone, Debug, Default)]
pub(super) struct Regions {
    known: Arc<Mutex<BTreeSet<String>>>,
}

impl Regions {
    pub(super) fn label(&self, region: Option<&str>) -> String {
        let Some(region) = region else { return "unknown".into() };
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if region.is_empty() || region.len() > REGION_BYTES_MAX || !region.bytes().all(is_word) {
            return "other".into();
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(region) {
            return region.into();
        }
        if known.len() >= REGIONS_MAX {
            return "other".into();
        }
        known.insert(region.into());
        region.into()
    }
}

pub(super) const fn network(network: Option<NetworkType>) -> &'static str {
    match network {
        Some(NetworkType::Wifi) => "wifi",
        Some(NetworkType::Cellular) => "cellular",
        Some(NetworkType::Ethernet) => "ethernet",
        Some(NetworkType::Vpn) => "vpn",
        Some(NetworkType::Other) => "other",
        Some(NetworkType::Unknown) | None => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_only_so_many_regions() {
        let regions = Regions::default();
        for number in 0..REGIONS_MAX {
            assert_eq!(regions.label(Some(&format!("eu-{number}"))), format!("eu-{number}"));
        }
        assert_eq!(regions.label(Some("us-1")), "other");
        assert_eq!(regions.label(Some("eu-0")), "eu-0");
        assert_eq!(regions.label(None), "unknown");
        for odd in ["", "a b", "\"", &"x".repeat(33)] {
            assert_eq!(Regions::default().label(Some(odd)), "other", "{odd}");
        }
    }
}
