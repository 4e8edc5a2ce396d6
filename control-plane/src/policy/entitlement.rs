//! What a user may send, from the token's claims and the time.

use crate::auth::Identity;
use railgun_shared::media_rpc::Grant;
use railgun_shared::plan::{Permissions, Tier};
use railgun_shared::rtp_parameters::MediaKind;
use railgun_shared::signal::{ErrorBody, ErrorCode, Source};
use std::time::{Duration, SystemTime};

/// The grant the node enforces. A Pro whose time is over is a Free.
pub fn grant(identity: &Identity, now: SystemTime) -> Grant {
    // A deadline further off than the clock can tell never comes.
    let until = identity
        .pro_until
        .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    let relay_only = identity.privacy_mode;
    let over = until.is_some_and(|until| until <= now);
    match identity.tier {
        Tier::Pro if !over => {
            Grant { permissions: Permissions::of(Tier::Pro), video_until: until, relay_only }
        }
        _ => Grant { permissions: Permissions::of(Tier::Free), video_until: None, relay_only },
    }
}

/// Whether this source, sent as this kind, is allowed.
pub fn check_source(permissions: Permissions, kind: MediaKind, source: Source) -> Result<(), ErrorBody> {
    if kind != source.kind() {
        return Err(ErrorBody::new(ErrorCode::InvalidPayload, "the kind does not fit appData.source"));
    }
    if permissions.allow(source) {
        return Ok(());
    }
    Err(match source {
        Source::Mic => ErrorBody::new(ErrorCode::PermissionDenied, "may not send audio"),
        Source::Camera | Source::Screen | Source::ScreenAudio => {
            ErrorBody::new(ErrorCode::CapabilityRequired, "this needs Pro")
                .with("capability", source.capability())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_shared::ids::UserId;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn user(tier: Tier, pro_until: Option<u64>) -> Identity {
        Identity { user: UserId::new("u").unwrap(), name: None, tier, pro_until, privacy_mode: false }
    }

    #[test]
    fn pro_ends_at_its_time() {
        let identity = user(Tier::Pro, Some(100));
        assert_eq!(grant(&identity, at(99)).video_until, Some(at(100)));
        assert!(grant(&identity, at(99)).permissions.video);
        assert!(!grant(&identity, at(100)).permissions.video);
        assert!(grant(&user(Tier::Pro, None), at(100)).permissions.video);
        assert!(grant(&user(Tier::Pro, Some(u64::MAX)), at(100)).permissions.video);
        assert!(!grant(&user(Tier::Free, Some(200)), at(100)).permissions.video);
    }

    #[test]
    fn what_free_may_not_send_names_the_capability_it_needs() {
        let free = Permissions::of(Tier::Free);
        assert!(check_source(free, MediaKind::Audio, Source::Mic).is_ok());
        for (kind, source, capability) in [
            (MediaKind::Video, Source::Camera, "VIDEO_CALLING"),
            (MediaKind::Video, Source::Screen, "SCREEN_SHARE"),
            (MediaKind::Audio, Source::ScreenAudio, "SCREEN_SHARE"),
        ] {
            let refused = check_source(free, kind, source).unwrap_err();
            assert_eq!(refused.code, ErrorCode::CapabilityRequired);
            assert_eq!(refused.details["capability"], capability);
        }
    }

    #[test]
    fn a_kind_that_does_not_fit_its_source_is_an_invalid_payload() {
        let pro = Permissions::of(Tier::Pro);
        for (kind, source) in [(MediaKind::Video, Source::Mic), (MediaKind::Audio, Source::Camera)] {
            assert_eq!(check_source(pro, kind, source).unwrap_err().code, ErrorCode::InvalidPayload);
        }
    }
}
