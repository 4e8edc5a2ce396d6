//! Commands of the README and of the guide, run as they are written, on a host of their own: their ports are fixed.

use crate::link::Link;
use crate::process::{Directory, Process, binaries};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const HOST: &str = "reader";
/// The address that stands in the README for a public one.
const PUBLIC: &str = "203.0.113.7/24";
/// How commands begin that go on.
const SERVERS: [&str; 3] = ["railgun --", "railgun-media --", "railgun-control serve "];
/// One that ends within this could not start.
const SERVER_FAILS: Duration = Duration::from_millis(500);
const READY_TIMEOUT: Duration = Duration::from_secs(30);
/// Built by whoever runs the tests; `debug` in place of the README's `release`.
const BUILD: &str = "make build";
const PATHS: &str = "export PATH=\"$PWD/target/release:$PATH\"";

/// What a passage of the README started.
#[derive(Debug)]
pub struct Followed {
    // In this order: programs go before their host.
    servers: Vec<Process>,
    pub link: Link,
    /// What the commands that ended printed, such as a token.
    pub printed: Vec<String>,
    directory: Directory,
}

impl Followed {
    /// Runs the first block of commands behind `heading` of a document, one after the other. None where network
    /// namespaces are not permitted.
    pub fn passage(document: &str, heading: &str) -> Result<Option<Self>> {
        let text = fs::read_to_string(Path::new(REPOSITORY).join(document))?;
        let commands = commands(&text, heading).with_context(|| document.to_owned())?;
        let Some(link) = Link::create(&[(HOST, &[PUBLIC])])? else { return Ok(None) };
        let directory = Directory::create()?;
        std::os::unix::fs::symlink(Path::new(REPOSITORY).join("deploy"), directory.path().join("deploy"))?;
        let mut followed = Self { servers: Vec::new(), link, printed: Vec::new(), directory };
        let [build, paths, rest @ ..] = commands.as_slice() else { bail!("no commands behind {heading}") };
        if (build.as_str(), paths.as_str()) != (BUILD, PATHS) {
            bail!("{heading}: {build:?}, {paths:?} instead of {BUILD:?}, {PATHS:?}");
        }
        for command in rest {
            followed.run(command)?;
        }
        Ok(Some(followed))
    }

    fn run(&mut self, line: &str) -> Result<()> {
        let mut command = Command::new("bash");
        let path = format!("{}:{}", binaries()?.display(), std::env::var("PATH").unwrap_or_default());
        // In place of the shell, so that ending it ends the program.
        command.arg("-c").arg(format!("exec {line}")).env("PATH", path);
        for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("RAILGUN_")) {
            command.env_remove(key);
        }
        let label = format!("command-{}", self.servers.len() + self.printed.len());
        let path = self.directory.path();
        let mut process = self.link.on(HOST, || Process::spawn_labelled("command", &label, command, path))?;
        let serves = SERVERS.iter().any(|server| line.starts_with(server));
        match process.ends_within(if serves { SERVER_FAILS } else { READY_TIMEOUT })? {
            Some(status) if status.success() => self.printed.push(process.log()?.trim().to_owned()),
            Some(status) => bail!("{line}: {status}\n{}", process.log()?),
            None if serves => self.servers.push(process),
            None => bail!("{line} does not end"),
        }
        Ok(())
    }

    /// Waits until `GET` of this path of port 8080 is answered with 200, and gives the body.
    pub fn get(&self, path: &str) -> Result<String> {
        let url = format!("http://127.0.0.1:8080{path}");
        let until = Instant::now() + READY_TIMEOUT;
        loop {
            let fetch = || Command::new("curl").args(["--silent", "--fail", &url]).output();
            let output = self.link.on(HOST, fetch).context("curl")?;
            if output.status.success() {
                return Ok(String::from_utf8(output.stdout)?);
            }
            if Instant::now() > until {
                let logs: Vec<String> = self.servers.iter().filter_map(|server| server.log().ok()).collect();
                bail!("{url} is not answered well:\n{}", logs.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Does `task` on the host of the commands.
    pub fn there<T: Send>(&self, task: impl FnOnce() -> T + Send) -> T {
        self.link.on(HOST, task)
    }

    /// How many programs go on.
    pub fn servers(&self) -> usize {
        self.servers.len()
    }
}

/// The lines of the first indented block behind `heading`, without their comments.
fn commands(text: &str, heading: &str) -> Result<Vec<String>> {
    let (_, passage) = text.split_once(heading).with_context(|| format!("there is no {heading}"))?;
    let block = passage.lines().skip_while(|line| !line.starts_with("    "));
    let lines = block.take_while(|line| line.starts_with("    "));
    Ok(lines.map(|line| line.split("  #").next().unwrap_or(line).trim().to_owned()).collect())
}
