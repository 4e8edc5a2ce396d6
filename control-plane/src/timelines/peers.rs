//! The other replicas: each is asked for what it kept of a channel.

use super::call_id::Hours;
use super::document::Records;
use futures::future::join_all;
use reqwest::redirect::Policy;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(4);
/// Of one answer.
const BYTES_MAX: usize = 64 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Peers {
    client: reqwest::Client,
    urls: Vec<reqwest::Url>,
}

impl Peers {
    pub(super) fn new(urls: &[reqwest::Url]) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().redirect(Policy::none()).timeout(TIMEOUT).build()?;
        Ok(Self { client, urls: urls.to_vec() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.urls.is_empty()
    }

    /// What the others kept, and who of them did not answer, by its URL. The asker's own token says who asks.
    pub(super) async fn ask(
        &self,
        key: &str,
        hours: &Hours,
        authorization: &str,
    ) -> (Vec<Records>, Vec<String>) {
        let asked = self.urls.iter().map(|url| async move {
            let answer = self.ask_one(url, key, hours, authorization).await;
            answer.map_err(|()| {
                let mut shown = url.clone();
                _ = shown.set_password(None);
                _ = shown.set_username("");
                shown.to_string()
            })
        });
        let (mut records, mut unreached) = (Vec::new(), Vec::new());
        for answer in join_all(asked).await {
            match answer {
                Ok(of) => records.push(of),
                Err(url) => unreached.push(url),
            }
        }
        (records, unreached)
    }

    async fn ask_one(
        &self,
        url: &reqwest::Url,
        key: &str,
        hours: &Hours,
        authorization: &str,
    ) -> Result<Records, ()> {
        let mut url = url.join("v1/call-records").map_err(drop)?;
        url.query_pairs_mut()
            .append_pair("key", key)
            .append_pair("from", &hours.start().to_string())
            .append_pair("to", &hours.end().to_string());
        let request = self.client.get(url).header("authorization", authorization);
        let failed = |error: reqwest::Error| {
            tracing::warn!(error = %error.without_url(), "a replica did not tell what it kept of a call");
        };
        let response = request.send().await.and_then(reqwest::Response::error_for_status);
        let mut response = response.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > BYTES_MAX {
                return Err(());
            }
        }
        serde_json::from_slice(&body).map_err(|error| {
            tracing::warn!(%error, "a replica told what it kept of a call in another way");
        })
    }
}
