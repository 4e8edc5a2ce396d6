//! As much of HTTP/1.1 as readiness and a token need.

use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(10);

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Gives the status and the body.
pub(crate) async fn request(
    server: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> Result<(u16, String)> {
    let answer = exchange(server, method, path, &[], body).await?;
    Ok((answer.status, answer.body))
}

/// One request on a connection of its own, with these headers.
pub(crate) async fn exchange(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n{headers}\
             Content-Type: {}\r\nContent-Length: {}\r\n\r\n{body}",
            if body.starts_with(['{', '[']) { "application/json" } else { "text/plain;charset=UTF-8" },
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no end of the HTTP header")?;
        let status = head.split(' ').nth(1).context("no HTTP status")?.parse()?;
        Ok(Answer { status, body: body.to_owned() })
    };
    timeout(TIMEOUT, exchange).await.context("no HTTP answer in time")?
}
