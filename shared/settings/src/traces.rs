//! Where traces go, as both planes are told.

use crate::gather::{Settings, SettingsError};

/// `traces.endpoint` and `traces.ratio`
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSettings {
    /// An OTLP receiver's URL for traces.
    pub endpoint: String,
    /// Part of the traces begun here that are kept, 0 to 1.
    pub ratio: f64,
}

impl TraceSettings {
    /// None: there are none.
    ///
    /// # Errors
    /// If the endpoint is no http:// or https:// URL, or the ratio is none.
    pub fn read(settings: &Settings) -> Result<Option<Self>, SettingsError> {
        let ratio = settings.parsed::<f64>("traces.ratio", RATIO)?.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&ratio) {
            return Err(settings.wrong("traces.ratio", RATIO));
        }
        let Some(endpoint) = settings.text("traces.endpoint")? else { return Ok(None) };
        let host = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
        if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
            return Err(settings.wrong("traces.endpoint", ENDPOINT));
        }
        Ok(Some(Self { endpoint, ratio }))
    }
}

const RATIO: &str = "a number from 0.0 to 1.0";
const ENDPOINT: &str = "a URL such as http://127.0.0.1:4318/v1/traces";
