//! The process that does what MLS takes: requests and answers are lines of JSON (`tests/mls-peer/README.md`).

use crate::error::ClientError;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use tokio::sync::oneshot;

type Asked = (String, oneshot::Sender<Result<String, std::io::Error>>);

/// A running `railgun-mls-peer`, which any number of members may share; it answers one request after the other. It is
/// ended with the last clone.
#[derive(Clone, Debug)]
pub struct MlsPeer {
    requests: mpsc::Sender<Asked>,
}

impl MlsPeer {
    /// Starts `program`, which `make mls-peer` builds as `target/mls-peer/debug/railgun-mls-peer`.
    ///
    /// # Errors
    /// [`ClientError::Io`] if it does not start.
    pub fn start(program: &Path) -> Result<Self, ClientError> {
        let mut command = Command::new(program);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        let (requests, asked) = mpsc::channel();
        thread::Builder::new().name("mls-peer".into()).spawn(move || serve(child, &asked))?;
        Ok(Self { requests })
    }

    /// The answer, unless it is an error.
    pub(super) async fn ask(&self, request: &Value) -> Result<Value, ClientError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send((request.to_string(), answer)).map_err(|_| gone())?;
        let answer: Value = serde_json::from_str(&answered.await.map_err(|_| gone())??)
            .map_err(|error| ClientError::Mls(format!("an answer that is no JSON: {error}")))?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(ClientError::Mls(error.to_owned())),
            None => Ok(answer),
        }
    }

    /// Asks, and waits for no answer.
    pub(super) fn tell(&self, request: &Value) {
        // If the process has ended, there is nothing to tell.
        _ = self.requests.send((request.to_string(), oneshot::channel().0));
    }
}

fn gone() -> ClientError {
    ClientError::Mls("the process has ended".into())
}

/// Until nobody can ask any more, or the process ends.
fn serve(mut child: Child, asked: &mpsc::Receiver<Asked>) {
    if let (Some(mut to), Some(from)) = (child.stdin.take(), child.stdout.take()) {
        let mut lines = BufReader::new(from).lines();
        while let Ok((request, answer)) = asked.recv() {
            let ended = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            let written = writeln!(to, "{request}").and_then(|()| to.flush());
            let line = written.and_then(|()| lines.next().unwrap_or_else(|| Err(ended())));
            let is_over = line.is_err();
            // Who asked may have been dropped.
            _ = answer.send(line);
            if is_over {
                break;
            }
        }
    }
    _ = child.kill();
    _ = child.wait();
}
