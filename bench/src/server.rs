//! The server that is measured: one that we start and end, and tokens for it.

use crate::usage::Usage;
use anyhow::{Context, Result, bail, ensure};
use railgun_protocol::plan::Tier;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const READY_TIMEOUT: Duration = Duration::from_secs(20);
const READY_POLL: Duration = Duration::from_millis(20);
const HTTP_TIMEOUT: Duration = Duration::from_secs(5);

/// A running `railgun`, which ends with the value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: String,
    /// What its tokens are given for.
    secret: String,
}

impl Server {
    /// Starts `binary`, or the `railgun` beside this program, on a free port.
    pub(crate) fn start(binary: Option<&Path>) -> Result<Self> {
        Self::start_with(binary, &[])
    }

    /// The same with more settings, as variables of its environment.
    pub(crate) fn start_with(binary: Option<&Path>, settings: &[(&str, &str)]) -> Result<Self> {
        let binary = binary.map_or_else(beside_us, |path| Ok(path.to_owned()))?;
        let mut child = Command::new(&binary)
            .args(["--dev", "--listen", "127.0.0.1:0", "--operators-listen", "off"])
            .env("RUST_LOG", "warn")
            .env("RAILGUN_JOINS_PER_MINUTE", "0")
            .env("RAILGUN_JOINS_COOLDOWN", "0")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} does not start", binary.display()))?;
        let stdout = child.stdout.take().context("no pipe")?;
        let mut server = Self { child, address: String::new(), secret: String::new() };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let (address, secret) = link(&line)
            .with_context(|| format!("{} said {line:?} instead of where it is", binary.display()))?;
        (server.address, server.secret) = (address.into(), secret.into());
        let until = Instant::now() + READY_TIMEOUT;
        while !request(&server.address, "GET", "/readyz", "").is_ok_and(|(status, _)| status == 200) {
            ensure!(Instant::now() < until, "{} is not ready", binary.display());
            sleep(READY_POLL);
        }
        Ok(server)
    }

    /// What of it is in memory now.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        Ok(Usage::of(self.pid())?.resident_bytes)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Tokens of its own.
    pub(crate) fn tokens(&self) -> Tokens {
        Tokens::Endpoint { url: self.url(), secret: Some(self.secret.clone()) }
    }
}

/// Address and secret of the link that a server in development mode prints.
fn link(line: &str) -> Option<(&str, &str)> {
    let (link, _) = line.strip_prefix("Open http://")?.split_once(' ')?;
    let (address, fragment) = link.split_once("/#secret=")?;
    Some((address, fragment.split('&').next().unwrap_or(fragment)))
}

impl Drop for Server {
    fn drop(&mut self) {
        // It was asked for nothing that would have to be kept.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where users' tokens come from.
#[derive(Debug)]
pub(crate) enum Tokens {
    Given(Vec<String>),
    /// `POST` to this URL; without a path to its `/dev/token`, which wants the server's secret.
    Endpoint {
        url: String,
        secret: Option<String>,
    },
}

/// Whom a token is for.
#[derive(Debug)]
pub(crate) struct User<'a> {
    pub(crate) id: &'a str,
    pub(crate) tier: Tier,
    pub(crate) name: Option<&'a str>,
}

impl Tokens {
    /// A token for user `number`. Of given ones the first is number 0's; the others take turns.
    pub(crate) fn get(&self, number: usize) -> Result<String> {
        self.of(number, &User { id: &format!("bench-{number}"), tier: Tier::Free, name: None })
    }

    /// The same, with the user of the caller's choice if the server gives tokens.
    pub(crate) fn of(&self, number: usize, user: &User<'_>) -> Result<String> {
        match self {
            Self::Given(tokens) => {
                let (first, others) = tokens.split_first().context("no token")?;
                let turn = number.checked_sub(1).and_then(|number| number.checked_rem(others.len()));
                Ok(turn.and_then(|turn| others.get(turn)).unwrap_or(first).clone())
            }
            Self::Endpoint { url, secret } => {
                let (address, path) = split_url(url)?;
                let path = if path == "/" { "/dev/token" } else { &path };
                let User { id, tier, name } = user;
                let wanted = json!({ "userId": id, "tier": tier, "name": name, "secret": secret });
                let wanted = wanted.to_string();
                let (status, body) = request(address, "POST", path, &wanted)?;
                if status != 200 {
                    bail!(
                        "{url}, {path} answered {status}: give tokens, or the secret in RAILGUN_DEV_SECRET"
                    );
                }
                let answer: Value = serde_json::from_str(&body)?;
                Ok(answer["token"].as_str().context("an answer without a token")?.to_owned())
            }
        }
    }
}

fn beside_us() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("railgun");
    ensure!(
        path.is_file(),
        "{} is not there: build it with `cargo build --release --package railgun`, or give --standalone",
        path.display()
    );
    Ok(path)
}

/// Host and port, and the path.
fn split_url(url: &str) -> Result<(&str, String)> {
    let rest = url.strip_prefix("http://").context("the URL has to begin with http://")?;
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    Ok((address, format!("/{path}")))
}

/// The body of what is at this URL.
pub(crate) fn get(url: &str) -> Result<String> {
    let (address, path) = split_url(url)?;
    let (status, body) = request(address, "GET", &path, "")?;
    ensure!(status == 200, "{url} answered {status}");
    Ok(body)
}

/// A request without keep-alive; status and body of the answer.
fn request(address: &str, method: &str, path: &str, body: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(HTTP_TIMEOUT))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    status.zip(body).context("not an HTTP answer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_of_a_server_in_development_mode_holds_address_and_secret() {
        let line = "Open http://127.0.0.1:8080/#secret=0a1b&channel=lobby&join in Chrome or Chromium\n";
        assert_eq!(link(line), Some(("127.0.0.1:8080", "0a1b")));
        assert_eq!(link("Open http://127.0.0.1:8080/#token=YOUR_TOKEN in Chrome or Chromium\n"), None);
    }

    #[test]
    fn given_tokens_take_turns_after_the_first() {
        let tokens = Tokens::Given(["talker", "a", "b"].map(str::to_owned).to_vec());
        let got: Vec<String> = (0..4).map(|number| tokens.get(number).unwrap()).collect();
        assert_eq!(got, ["talker", "a", "b", "a"]);
    }
}
