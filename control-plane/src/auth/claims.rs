//! What a token says about its user.

use railgun_protocol::ids::UserId;
use railgun_protocol::limits;
use railgun_protocol::plan::Tier;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How far the issuer's clock and ours may be apart, in seconds.
pub(super) const LEEWAY_SECONDS: u64 = 30;

/// The claims of a token (RFC 7519). Times are Unix seconds.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claims {
    pub sub: UserId,
    pub iat: u64,
    pub exp: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    pub tier: Tier,
    /// Until when `tier` is `pro`; none: as long as the token is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pro_until: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where the user's picture is: a path on the page's origin, or an `https:` URL of a listed host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(default)]
    pub privacy_mode: bool,
}

/// A verified token, reduced to what a session needs.
#[derive(Clone)]
pub struct Identity {
    pub user: UserId,
    /// Shown to others.
    pub name: Option<String>,
    /// As the token has it, whether its host is listed or not.
    pub avatar: Option<String>,
    pub tier: Tier,
    /// Unix seconds; never later than [`Self::good_until`] in effect.
    pub pro_until: Option<u64>,
    /// Where rooms that this user opens should be.
    pub region: Option<String>,
    pub privacy_mode: bool,
    /// When the token was made, in Unix seconds.
    pub issued_at: u64,
    /// Until when what it says holds: its `exp` and the leeway, in Unix seconds.
    pub good_until: u64,
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("tier", &self.tier).finish_non_exhaustive()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("tier", &self.tier).finish_non_exhaustive()
    }
}

impl From<VerifiedClaims> for Identity {
    fn from(claims: VerifiedClaims) -> Self {
        let VerifiedClaims { sub, iat, exp, tier, pro_until, name, avatar, region, privacy_mode, .. } =
            claims;
        let name = name.and_then(|name| displayed(&name));
        let good_until = exp.saturating_add(LEEWAY_SECONDS);
        Self { user: sub, name, avatar, tier, pro_until, region, privacy_mode, issued_at: iat, good_until }
    }
}

/// The claims as they are read from a token whose signature has been checked. `aud` may be a text
/// or a list there; it has been compared by then.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VerifiedClaims {
    pub(super) sub: UserId,
    pub(super) iat: u64,
    pub(super) exp: u64,
    #[serde(default)]
    pub(super) nbf: Option<u64>,
    tier: Tier,
    #[serde(default)]
    pro_until: Option<u64>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    avatar: Option<String>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    privacy_mode: bool,
}

/// A name as it is shown: printable, trimmed and of bounded length.
fn displayed(name: &str) -> Option<String> {
    let printable: String =
        name.chars().filter(|char| !char.is_control()).take(limits::NAME_CHARS_MAX).collect();
    Some(printable.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_printable_and_short() {
        assert_eq!(displayed(" A\u{0}da\n"), Some("Ada".into()));
        assert_eq!(displayed("\n"), None);
        assert_eq!(displayed(&"é".repeat(100)).unwrap().chars().count(), limits::NAME_CHARS_MAX);
    }

    #[test]
    fn debug_output_names_nobody() {
        let identity = Identity {
            user: UserId::new("ada").unwrap(),
            name: Some("Ada".into()),
            avatar: Some("/ada.png".into()),
            tier: Tier::Pro,
            pro_until: None,
            region: None,
            privacy_mode: false,
            issued_at: 0,
            good_until: 0,
        };
        assert_eq!(format!("{identity:?}"), "Identity { tier: Pro, .. }");
    }
}
