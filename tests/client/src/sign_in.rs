//! What a socket shows to be let in: an access token, a device, and the token of a session to resume.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::fmt;

/// What a socket shows to be let in.
pub(crate) struct SignIn {
    token: String,
    device: Option<String>,
    resume: Option<String>,
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").finish_non_exhaustive()
    }
}

impl SignIn {
    pub(crate) fn new(token: &str, device: Option<&str>) -> Self {
        Self { token: token.to_owned(), device: device.map(str::to_owned), resume: None }
    }

    /// The `sub` of the token, whose signature is the server's to check.
    pub(crate) fn subject(&self) -> Option<String> {
        let claims = URL_SAFE_NO_PAD.decode(self.token.split('.').nth(1)?).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        claims.get("sub").and_then(Value::as_str).map(str::to_owned)
    }

    /// Of a socket that is to join.
    pub(crate) fn auth(&self) -> Value {
        let mut auth = json!({ "token": self.token });
        if let Some(device) = &self.device {
            auth["deviceId"] = device.as_str().into();
        }
        auth
    }

    /// Of a socket that is to take the session up.
    pub(crate) fn auth_to_resume(&self) -> Option<Value> {
        let mut auth = self.auth();
        auth["resume"] = self.resume.as_deref()?.into();
        Some(auth)
    }

    /// Keeps the token that `voice:joined` or `voice:resumed` carries.
    pub(crate) fn note_resume_token(&mut self, reply: &Value) {
        self.resume = reply.get("resumeToken").and_then(Value::as_str).map(str::to_owned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resume_shows_the_last_token_and_debug_output_shows_none() {
        let mut sign_in = SignIn::new("jwt", Some("laptop"));
        assert_eq!(sign_in.auth_to_resume(), None);
        sign_in.note_resume_token(&json!({ "resumeToken": "first" }));
        sign_in.note_resume_token(&json!({ "resumeToken": "second" }));
        let shown = json!({ "token": "jwt", "deviceId": "laptop", "resume": "second" });
        assert_eq!(sign_in.auth_to_resume(), Some(shown));
        assert_eq!(format!("{sign_in:?}"), "SignIn { .. }");
    }
}
