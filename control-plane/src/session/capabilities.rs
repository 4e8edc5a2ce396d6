//! What a session says it can receive, checked and narrowed once for as long as it says the same.

use crate::refusal::Refusal;
use railgun_protocol::ortc::narrow_capabilities;
use railgun_protocol::rtp_parameters::RtpCapabilities;
use sha2::{Digest, Sha256};

/// SHA-256 of capabilities as JSON.
pub(crate) type CapabilitiesDigest = [u8; 32];

/// The last capabilities that a client sent, narrowed.
#[derive(Debug, Default)]
pub(crate) struct ReceiverCapabilities {
    last: Option<Box<(CapabilitiesDigest, RtpCapabilities)>>,
}

impl ReceiverCapabilities {
    /// What of `said` the node needs, and by which digest it is known to be the same again.
    ///
    /// # Errors
    /// `INVALID_PAYLOAD`: out of bounds, or not what such lists may hold.
    pub(crate) fn narrow(
        &mut self,
        said: &RtpCapabilities,
    ) -> Result<(CapabilitiesDigest, &RtpCapabilities), Refusal> {
        // Maps of it are ordered, and it came from JSON.
        let json = serde_json::to_vec(said).map_err(|_| Refusal::UnreadableCapabilities)?;
        let digest: CapabilitiesDigest = Sha256::digest(&json).into();
        let last = match self.last.take().filter(|last| last.0 == digest) {
            Some(last) => last,
            None => Box::new((digest, narrow_capabilities(said)?)),
        };
        Ok((digest, &self.last.insert(last).1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_protocol::ortc::{DEFAULT_CODECS, router_rtp_capabilities};

    #[test]
    fn the_same_rtp_capabilities_are_narrowed_once_and_others_anew() {
        let router = router_rtp_capabilities(&DEFAULT_CODECS, 64_000);
        let audio = RtpCapabilities { codecs: router.codecs[..1].to_vec(), ..router.clone() };
        let mut capabilities = ReceiverCapabilities::default();
        let (of_router, narrowed) = capabilities.narrow(&router).unwrap();
        let (place, codecs) = (narrowed.codecs.as_ptr(), narrowed.codecs.len());
        let (again, narrowed) = capabilities.narrow(&router).unwrap();
        assert_eq!((again, narrowed.codecs.as_ptr()), (of_router, place), "not made again");
        assert_eq!(codecs, router.codecs.len());
        let (of_audio, narrowed) = capabilities.narrow(&audio).unwrap();
        assert_ne!(of_audio, of_router);
        assert_eq!(narrowed.codecs.len(), 1);
        let mut wrong = router;
        wrong.codecs[0].clock_rate = 0;
        assert!(capabilities.narrow(&wrong).is_err());
        assert_eq!(capabilities.narrow(&audio).unwrap().0, of_audio);
    }
}
