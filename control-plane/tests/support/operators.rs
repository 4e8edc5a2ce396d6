//! Operators of a control-plane: a file of tokens, and requests with them.

use super::{Harness, Response, http};
use railgun_control::{JoinLimits, OperatorScope, operator_token_entry};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The file goes when this is dropped.
pub(crate) struct TokensFile {
    pub(crate) path: PathBuf,
}

impl TokensFile {
    /// A token for each, with its scopes; its name is the token itself.
    pub(crate) fn of(tokens: &[(&str, &[&str])]) -> Self {
        let path = std::env::temp_dir().join(format!("railgun-tokens-{:x}.toml", rand::random::<u64>()));
        let entry = |(token, scopes): &(&str, &[&str])| {
            let scopes: Vec<OperatorScope> = scopes.iter().map(|scope| scope.parse().unwrap()).collect();
            operator_token_entry(token, token, &scopes)
        };
        std::fs::write(&path, tokens.iter().map(entry).collect::<String>()).unwrap();
        Self { path }
    }
}

impl Drop for TokensFile {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.path);
    }
}

/// A control-plane whose operators have these tokens, and where joins are not limited.
pub(crate) async fn operated(tokens: &[(&str, &[&str])]) -> (Harness, TokensFile) {
    let tokens = TokensFile::of(tokens);
    let path = tokens.path.clone();
    let harness = Harness::start_with(|config| {
        config.operators.tokens = Some(path);
        config.joins = JoinLimits { per_minute: 0, cooldown: 0 };
    })
    .await;
    (harness, tokens)
}

/// Writes a record with the token `all`.
pub(crate) async fn put(harness: &Harness, path: &str, record: Value) {
    assert_eq!(ask(harness.operators, "all", "PUT", path, record).await.status, 204);
}

/// A request with that token; `Value::Null` is no body.
pub(crate) async fn ask(at: SocketAddr, token: &str, method: &str, path: &str, body: Value) -> Response {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    http(at, method, path, &headers, &body).await
}

pub(crate) fn body(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap()
}
