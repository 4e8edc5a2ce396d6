//! What a user may send, from the operators' records, the token's claims and the time.

use crate::auth::Identity;
use crate::records::EntitlementRecord;
use crate::refusal::Refusal;
use railgun_protocol::media_rpc::Grant;
use railgun_protocol::plan::{Permissions, Tier};
use railgun_protocol::rtp_parameters::MediaKind;
use railgun_protocol::signal::{GrantReason, Source};
use std::time::{Duration, SystemTime};

/// The grant the node enforces. A record counts more than any token; a token that was revoked counts
/// as Free; a Pro whose time is over is a Free. What a token says holds no longer than the token: a user
/// whose issuer gives no new one, because there is nothing more to pay for, is Free at its end.
pub(crate) fn grant(
    identity: &Identity,
    record: Option<EntitlementRecord>,
    is_revoked: bool,
    now: SystemTime,
) -> Grant {
    let (tier, until) = match record {
        Some(record) => (record.tier, record.pro_until),
        None if is_revoked => (Tier::Free, None),
        None => (
            identity.tier,
            Some(identity.pro_until.map_or(identity.good_until, |until| until.min(identity.good_until))),
        ),
    };
    // A deadline further off than the clock can tell never comes.
    let until = until.and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    let relay_only = identity.privacy_mode;
    let over = until.is_some_and(|until| until <= now);
    match tier {
        Tier::Pro if !over => {
            Grant { permissions: Permissions::of(Tier::Pro), video_until: until, relay_only }
        }
        _ => Grant { permissions: Permissions::of(Tier::Free), video_until: None, relay_only },
    }
}

/// What somebody whose grant changes is told about it.
pub(crate) fn reason(before: &Grant, after: &Grant) -> GrantReason {
    match (before.permissions.video, after.permissions.video) {
        (false, true) => GrantReason::Upgraded,
        (true, false) => GrantReason::Revoked,
        _ => GrantReason::Refreshed,
    }
}

/// Whether this source, sent as this kind, is allowed.
pub(crate) fn check_source(permissions: Permissions, kind: MediaKind, source: Source) -> Result<(), Refusal> {
    if kind != source.kind() {
        return Err(Refusal::WrongKind);
    }
    if permissions.allow(source) {
        return Ok(());
    }
    Err(Refusal::NotGranted(source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_protocol::ids::UserId;
    use railgun_protocol::signal::ErrorCode;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn user(tier: Tier, pro_until: Option<u64>) -> Identity {
        let user = UserId::new("u").unwrap();
        let good_until = u64::MAX;
        Identity {
            user,
            name: None,
            avatar: None,
            tier,
            pro_until,
            region: None,
            privacy_mode: false,
            issued_at: 0,
            good_until,
        }
    }

    #[test]
    fn pro_ends_at_its_time() {
        let may_send = |tier, until, now| grant(&user(tier, until), None, false, at(now)).permissions.video;
        assert_eq!(grant(&user(Tier::Pro, Some(100)), None, false, at(99)).video_until, Some(at(100)));
        assert!(may_send(Tier::Pro, Some(100), 99));
        assert!(!may_send(Tier::Pro, Some(100), 100));
        assert!(may_send(Tier::Pro, None, 100));
        assert!(may_send(Tier::Pro, Some(u64::MAX), 100));
        assert!(!may_send(Tier::Free, Some(200), 100));
    }

    #[test]
    fn pro_by_a_token_ends_with_the_token_and_by_a_record_does_not() {
        let of = |pro_until| Identity { good_until: 130, ..user(Tier::Pro, pro_until) };
        let until = |pro_until| grant(&of(pro_until), None, false, at(99)).video_until;
        assert_eq!(until(None), Some(at(130)));
        assert_eq!(until(Some(200)), Some(at(130)), "a promise is not longer than the token that makes it");
        assert_eq!(until(Some(110)), Some(at(110)));
        assert!(!grant(&of(None), None, false, at(130)).permissions.video);
        let record = EntitlementRecord { tier: Tier::Pro, pro_until: None };
        let recorded = grant(&of(None), Some(record), false, at(131));
        assert!(recorded.permissions.video && recorded.video_until.is_none());
    }

    #[test]
    fn a_record_overrides_the_token_and_a_revoked_token_is_free() {
        let record = |tier, pro_until| Some(EntitlementRecord { tier, pro_until });
        let (pro, free) = (user(Tier::Pro, None), user(Tier::Free, None));
        let may_send = |who, record, revoked| grant(who, record, revoked, at(10)).permissions.video;
        assert!(may_send(&free, record(Tier::Pro, None), false));
        assert!(may_send(&free, record(Tier::Pro, None), true));
        assert!(!may_send(&pro, record(Tier::Free, None), false));
        assert!(!may_send(&pro, record(Tier::Pro, Some(10)), false));
        assert!(!may_send(&pro, None, true));
        assert!(may_send(&pro, None, false));
    }

    #[test]
    fn privacy_mode_goes_into_the_grant() {
        let hidden = Identity { privacy_mode: true, ..user(Tier::Free, None) };
        assert!(grant(&hidden, None, false, at(1)).relay_only);
        assert!(!grant(&user(Tier::Pro, None), None, false, at(1)).relay_only);
    }

    #[test]
    fn a_change_is_named_by_what_it_does_to_video() {
        let of = |tier| grant(&user(tier, None), None, false, at(1));
        assert_eq!(reason(&of(Tier::Free), &of(Tier::Pro)), GrantReason::Upgraded);
        assert_eq!(reason(&of(Tier::Pro), &of(Tier::Free)), GrantReason::Revoked);
        assert_eq!(reason(&of(Tier::Pro), &of(Tier::Pro)), GrantReason::Refreshed);
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
            let refused = check_source(free, kind, source).unwrap_err().body();
            assert_eq!(refused.code, ErrorCode::CapabilityRequired);
            assert_eq!(refused.details["capability"], capability);
        }
    }

    #[test]
    fn a_kind_that_does_not_fit_its_source_is_an_invalid_payload() {
        let pro = Permissions::of(Tier::Pro);
        for (kind, source) in [(MediaKind::Video, Source::Mic), (MediaKind::Audio, Source::Camera)] {
            assert_eq!(check_source(pro, kind, source).unwrap_err().code(), ErrorCode::InvalidPayload);
        }
    }
}
