//! A request of HTTP/1.1 on a connection of its own.

use anyhow::Context;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(8);

/// A request of an operator: the status of the answer, and its body.
pub(crate) async fn ask(
    to: SocketAddr,
    asked: (&str, &str),
    token: Option<&str>,
    body: Option<&Value>,
) -> anyhow::Result<(u16, String)> {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let body = body.map(ToString::to_string).unwrap_or_default();
    let fields = format!("content-type: application/json\r\n{token}");
    timeout(TIMEOUT, exchange(to, asked, &fields, &body)).await.context("no answer in time")?
}

/// The status of the answer, and its body. `fields`: further lines of the request's header.
pub(crate) async fn exchange(
    to: SocketAddr,
    (method, path): (&str, &str),
    fields: &str,
    body: &str,
) -> anyhow::Result<(u16, String)> {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n{fields}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").context("no whole answer")?;
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).context("no status")?;
    Ok((status, body.to_owned()))
}
