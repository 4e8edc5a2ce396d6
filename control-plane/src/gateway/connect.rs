//! A socket that connects. Checks: the token's length, signature, key, time, audience and issuer; a
//! device id is a short name if there is one; the user holds fewer sessions than one may.

use crate::auth::Identity;
use crate::control::Services;
use crate::session::Registered;
use railgun_shared::ids::DeviceId;
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

/// A socket that may stay.
pub(super) struct Admitted {
    pub(super) identity: Identity,
    pub(super) device: Option<DeviceId>,
    pub(super) registered: Registered,
}

/// `auth` is what the client gave `io()`. The error is the `connect_error`'s message.
pub(super) fn admit(services: &Services, auth: Option<&Value>) -> Result<Admitted, &'static str> {
    let field = |name| auth.and_then(|auth| auth.get(name));
    let token = field("token").and_then(Value::as_str).ok_or("UNAUTHORIZED")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let identity = services.keys.verify(token, now).map_err(|error| {
        tracing::debug!(%error, "a token was refused");
        error.code()
    })?;
    let device = match field("deviceId") {
        None | Some(Value::Null) => None,
        Some(Value::String(device)) => Some(DeviceId::new(device.as_str()).map_err(|_| "INVALID_PAYLOAD")?),
        Some(_) => return Err("INVALID_PAYLOAD"),
    };
    let registered = services.registry.register(&identity.user).ok_or("RATE_LIMITED")?;
    Ok(Admitted { identity, device, registered })
}
