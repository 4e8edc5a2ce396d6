//! etcd by its HTTP interface (the gRPC gateway on the client port): whether each member answers, is not full, and
//! lets us write what is ours.

use super::finding::{ANSWER_WITHIN, Findings};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::future::join_all;
use railgun_settings::EtcdSettings;
use reqwest::{Certificate, Client, Identity};
use serde_json::{Value, json};
use std::time::Duration;

/// A password costs etcd a hash, of which it computes one at a time for everybody: as long as our programs wait.
const SIGN_IN_WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn look(settings: &EtcdSettings, findings: &mut Findings) {
    let client = match client(settings) {
        Ok(client) => client,
        // `check-config` has said what is wrong with the files.
        Err(error) => {
            return findings.fault(
                "etcd",
                format!("etcd cannot be asked: {error:#}"),
                "Correct etcd.ca, etcd.cert, etcd.key",
            );
        }
    };
    let members = settings.endpoints.iter().map(|endpoint| async {
        let mut found = Findings::default();
        member(&client, endpoint.trim_end_matches('/'), settings, &mut found).await;
        found
    });
    for found in join_all(members).await {
        findings.extend(found);
    }
}

fn client(settings: &EtcdSettings) -> anyhow::Result<Client> {
    let mut builder = Client::builder().no_proxy();
    if let Some(ca) = &settings.ca {
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(&std::fs::read(ca)?)?);
    }
    if let Some((cert, key)) = &settings.identity {
        let both = [std::fs::read(cert)?, std::fs::read(key)?].concat();
        builder = builder.identity(Identity::from_pem(&both)?);
    }
    Ok(builder.build()?)
}

async fn member(client: &Client, endpoint: &str, settings: &EtcdSettings, findings: &mut Findings) {
    let mut token = String::new();
    if let Some((user, file)) = &settings.user {
        let password = std::fs::read_to_string(file).unwrap_or_default();
        let body = json!({ "name": user, "password": password.trim_end() });
        match ask_within(SIGN_IN_WITHIN, client, endpoint, "auth/authenticate", "", body).await {
            Ok(answer) => token = answer["token"].as_str().unwrap_or_default().to_owned(),
            Err(Failed::Unreached(why)) => return unreached(endpoint, &why, findings),
            Err(Failed::Refused(why)) => {
                return findings.fault(
                    "etcd",
                    format!("{endpoint} does not let {user:?} in: {why}"),
                    "Compare etcd.user and etcd.password_file with `etcdctl user list`; `etcdctl user passwd` sets one",
                );
            }
        }
    }
    let key = BASE64_STANDARD.encode(format!("{}/doctor", settings.prefix));
    let put = json!({ "key": key, "value": BASE64_STANDARD.encode("looked") });
    match ask(client, endpoint, "kv/put", &token, put).await {
        Ok(_) => {
            _ = ask(client, endpoint, "kv/deleterange", &token, json!({ "key": key })).await;
            findings.good("etcd", format!("{endpoint} answers, and lets us write below {}", settings.prefix));
        }
        Err(Failed::Unreached(why)) => unreached(endpoint, &why, findings),
        Err(Failed::Refused(why)) if why.contains("space exceeded") => full(endpoint, findings),
        Err(Failed::Refused(why)) => findings.fault(
            "etcd",
            format!("{endpoint} does not let us write below {}: {why}", settings.prefix),
            format!(
                "etcdctl role grant-permission ROLE --prefix=true readwrite {}/, and set etcd.user and \
                 etcd.password_file if etcd wants a password",
                settings.prefix
            ),
        ),
    }
}

fn unreached(endpoint: &str, why: &str, findings: &mut Findings) {
    findings.fault(
        "etcd",
        format!("{endpoint} does not answer: {why}"),
        "Is etcd running there, and TCP 2379 open to this host? Is etcd.ca the authority of its certificate?",
    );
}

fn full(endpoint: &str, findings: &mut Findings) {
    findings.fault(
        "etcd",
        format!("{endpoint} takes no writes, its database is full (NOSPACE)"),
        "etcdctl compact, etcdctl defrag, then etcdctl alarm disarm; set --auto-compaction-retention",
    );
}

enum Failed {
    Unreached(String),
    Refused(String),
}

async fn ask(client: &Client, endpoint: &str, what: &str, token: &str, body: Value) -> Result<Value, Failed> {
    ask_within(ANSWER_WITHIN, client, endpoint, what, token, body).await
}

async fn ask_within(
    within: Duration,
    client: &Client,
    endpoint: &str,
    what: &str,
    token: &str,
    body: Value,
) -> Result<Value, Failed> {
    let unreached = |error: reqwest::Error| {
        // The innermost says most: "Connection refused", "certificate has expired".
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        Failed::Unreached(cause.to_string())
    };
    let mut request = client.post(format!("{endpoint}/v3/{what}")).timeout(within).body(body.to_string());
    if !token.is_empty() {
        request = request.header("authorization", token);
    }
    let answer = request.send().await.map_err(unreached)?;
    let is_good = answer.status().is_success();
    let text = answer.text().await.map_err(unreached)?;
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    match is_good {
        true => Ok(answer),
        false => {
            let why = answer["message"].as_str().or_else(|| answer["error"].as_str()).unwrap_or(&text);
            Err(Failed::Refused(why.chars().take(200).collect()))
        }
    }
}
