//! A socket that connects. Checks: the token's length, signature, key, time, audience and issuer; a
//! device id is a short name if there is one; the user holds fewer sessions than one may, or one that is
//! over with this one. A token to resume with is only read here: whether it is any good is the room's
//! node to say. A socket in the places kept for those who resume has to show such a token; an address that
//! shows bad tokens without end waits for its turn.

use super::engine_io::{Opened, Sockets};
use crate::clock::unix_seconds;
use crate::ending::EndSignal;
use crate::registry::Newcomer;
use crate::services::Services;
use crate::session::Admitted;
use railgun_protocol::ids::DeviceId;
use serde_json::Value;
use std::time::SystemTime;

/// `auth` is what the client gave `io()`. The error is the `connect_error`'s message.
/// `ending` is the socket's.
pub(super) async fn admit(
    services: &Services,
    sockets: &Sockets,
    opened: &Opened,
    auth: Option<&Value>,
    ending: EndSignal,
) -> Result<Admitted, &'static str> {
    let field = |name| auth.and_then(|auth| auth.get(name)).filter(|value| !value.is_null());
    let Some(token) = field("token").and_then(Value::as_str) else {
        services.refused_tokens.tell("there is none: auth.token is not a text");
        return Err("UNAUTHORIZED");
    };
    if opened.place.is_reserve() && field("resume").is_none() || !sockets.turn(opened).await {
        return Err("RATE_LIMITED");
    }
    let identity = services.keys.verify(token, unix_seconds(SystemTime::now())).map_err(|error| {
        services.refused_tokens.tell(error.reason());
        error.code()
    })?;
    let device = match field("deviceId") {
        None => None,
        Some(Value::String(device)) => Some(DeviceId::new(device.as_str()).map_err(|_| "INVALID_PAYLOAD")?),
        Some(_) => return Err("INVALID_PAYLOAD"),
    };
    let read = |shown: &str| services.place_seal.read(shown, &identity.user);
    let resume = field("resume").map(|shown| shown.as_str().and_then(read));
    let newcomer = Newcomer {
        user: identity.user.clone(),
        device: device.clone(),
        resumes: resume.as_ref().and_then(|shown| Some(shown.as_ref()?.session())),
        ending,
    };
    let registered = services.registry.register(newcomer).await.ok_or("RATE_LIMITED")?;
    let origin = services.networks.origin(opened.place.address());
    Ok(Admitted { identity, device, origin, resume, registered })
}
