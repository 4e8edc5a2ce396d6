//! The binaries under test, each in a process that ends with the value that stands for it.

use crate::http;
use anyhow::{Context, Result, bail};
use railgun_etcd::testing::free_address;
use serde_json::Value;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const READY_TIMEOUT: Duration = Duration::from_secs(30);
const READY_POLL: Duration = Duration::from_millis(20);
/// Of a log that is shown when a test fails.
const LOG_TAIL_LINES: usize = 40;

/// A temporary directory, removed with the value.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// # Errors
    /// If the file system has no place for it.
    pub fn create() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("railgun-e2e-{}-{number}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

/// A running binary, killed with the value. If the test is failing then, its log's end is shown.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: &'static str,
    log: PathBuf,
}

impl Process {
    /// Starts a binary with settings from the environment only; its log goes into `directory`.
    pub(crate) fn start(
        name: &'static str,
        directory: &Path,
        arguments: &[&str],
        settings: &[(&str, String)],
    ) -> Result<Self> {
        Self::start_as(name, name, directory, arguments, settings)
    }

    /// The same for one of several, which are told apart by `label`.
    pub(crate) fn start_as(
        name: &'static str,
        label: &str,
        directory: &Path,
        arguments: &[&str],
        settings: &[(&str, String)],
    ) -> Result<Self> {
        let mut command = command(name)?;
        command.args(arguments).envs(settings.iter().map(|(key, value)| (key, value)));
        Self::spawn_as(name, label, command, directory)
    }

    /// Starts `command` in `directory`, where its log goes.
    pub(crate) fn spawn(name: &'static str, command: Command, directory: &Path) -> Result<Self> {
        Self::spawn_as(name, name, command, directory)
    }

    /// The same for one of several, which are told apart by `label`.
    pub(crate) fn spawn_labelled(
        name: &'static str,
        label: &str,
        command: Command,
        directory: &Path,
    ) -> Result<Self> {
        Self::spawn_as(name, label, command, directory)
    }

    /// How it ended, if it does so in time.
    pub(crate) fn ends_within(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let until = std::time::Instant::now() + limit;
        loop {
            match self.child.try_wait()? {
                None if std::time::Instant::now() < until => std::thread::sleep(READY_POLL),
                ended => return Ok(ended),
            }
        }
    }

    fn spawn_as(name: &'static str, label: &str, mut command: Command, directory: &Path) -> Result<Self> {
        let log = directory.join(format!("{label}.log"));
        let file = File::create(&log)?;
        let child = command
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        Ok(Self { child, name, log })
    }

    /// Waits until `GET /readyz` is answered with 200.
    pub(crate) async fn ready(&mut self, at: SocketAddr) -> Result<()> {
        let until = Instant::now() + READY_TIMEOUT;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} before it was ready:\n{}", self.name, self.log_tail());
            }
            if let Ok((200, _)) = http::request(at, "GET", "/readyz", "").await {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("{} was not ready within {READY_TIMEOUT:?}:\n{}", self.name, self.log_tail());
            }
            sleep(READY_POLL).await;
        }
    }

    /// What it wrote so far.
    pub(crate) fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }

    /// Sends it a signal, by the signal's name.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status()?;
        if !sent.success() {
            bail!("kill -{name}: {sent}");
        }
        Ok(())
    }

    /// Waits until it ends by itself, with an error; gives its log.
    pub(crate) async fn refused(mut self) -> Result<String> {
        let until = Instant::now() + READY_TIMEOUT;
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => bail!("{} ended well:\n{}", self.name, self.log_tail()),
                Some(_) => return self.log(),
                None if Instant::now() > until => bail!("{} goes on:\n{}", self.name, self.log_tail()),
                None => sleep(READY_POLL).await,
            }
        }
    }

    /// SIGTERM, and waits for its end.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.signal("TERM")?;
        let until = Instant::now() + READY_TIMEOUT;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > until {
                bail!("{} does not end:\n{}", self.name, self.log_tail());
            }
            sleep(READY_POLL).await;
        }
        Ok(())
    }

    fn log_tail(&self) -> String {
        let log = self.log().unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the end of the log of {}:\n{}", self.name, self.log_tail());
        }
    }
}

/// Where `cargo build` put our binaries: beside this test's own executable.
pub(crate) fn binaries() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    // target/<profile>/deps/<test>
    let profile = test.parent().and_then(Path::parent).context("a test outside a target directory")?;
    Ok(profile.to_owned())
}

/// A command of one of our binaries.
pub(crate) fn command(name: &str) -> Result<Command> {
    let binary = binaries()?.join(name);
    if !binary.is_file() {
        bail!("{} is not built: run `cargo build --workspace` first, as `make test` does", binary.display());
    }
    let mut command = Command::new(binary);
    // What the caller's shell has set is not for the system under test.
    for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("RAILGUN_")) {
        command.env_remove(key);
    }
    command.env_remove("MEDIASOUP_ANNOUNCED_IP").env("RUST_BACKTRACE", "0").env("NO_COLOR", "1");
    Ok(command)
}

/// Where `make mls-peer` puts the second implementation of MLS: beside our own profile's folder.
pub fn mls_peer() -> Result<PathBuf> {
    let program = binaries()?.with_file_name("mls-peer").join("debug/railgun-mls-peer");
    if !program.is_file() {
        bail!("{} is not built: run `make mls-peer` first", program.display());
    }
    Ok(program)
}

/// Runs `railgun-control` to its end and gives what it printed.
pub(crate) fn run(arguments: &[&str]) -> Result<String> {
    output_of("railgun-control", arguments)
}

/// Runs `railgun-bench --json` to its end and gives its figures.
pub fn bench(arguments: &[&str]) -> Result<Value> {
    Ok(serde_json::from_str(&output_of("railgun-bench", &[&["--json"], arguments].concat())?)?)
}

fn output_of(name: &str, arguments: &[&str]) -> Result<String> {
    let output = command(name)?.args(arguments).output()?;
    if !output.status.success() {
        bail!("{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A media node alone, to be spoken to past any control-plane.
#[derive(Debug)]
pub struct MediaNode {
    pub(crate) rpc: SocketAddr,
    health: SocketAddr,
    settings: Vec<(String, String)>,
    path: PathBuf,
    process: Option<Process>,
    _directory: Option<Directory>,
}

impl MediaNode {
    /// Starts one that takes control streams in plain text on loopback.
    pub async fn start() -> Result<Self> {
        let directory = Directory::create()?;
        let insecure = [("RAILGUN_RPC_INSECURE", "true".to_owned())];
        let node = Self::start_in(directory.path(), &insecure).await?;
        Ok(Self { _directory: Some(directory), ..node })
    }

    pub(crate) async fn start_in(directory: &Path, settings: &[(&str, String)]) -> Result<Self> {
        let (rpc, health) = (free_address()?, free_address()?);
        let mut all = vec![
            ("RAILGUN_RPC_LISTEN", rpc.to_string()),
            ("RAILGUN_HEALTH_LISTEN", health.to_string()),
            ("RAILGUN_WORKERS", "2".to_owned()),
        ];
        all.extend_from_slice(settings);
        let settings = all.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let path = directory.to_owned();
        let mut node = Self { rpc, health, settings, path, process: None, _directory: None };
        node.restart().await?;
        Ok(node)
    }

    /// Kills it if it runs, and starts it at the same addresses. It knows no rooms then.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.process = None;
        let settings: Vec<_> =
            self.settings.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        let mut process = Process::start("railgun-media", &self.path, &[], &settings)?;
        process.ready(self.health).await?;
        self.process = Some(process);
        Ok(())
    }

    /// Where control streams are taken.
    pub fn rpc_url(&self) -> String {
        format!("http://{}", self.rpc)
    }
}

/// One of our programs, or another one of this machine.
fn program_of(name: &str) -> Result<Command> {
    match name.starts_with("railgun") {
        true => command(name),
        false => Ok(Command::new(name)),
    }
}

/// Runs one of our programs, or another one, to its end in `directory`, with these variables alone of those that begin with
/// RAILGUN_. Whether it succeeded, and all that it wrote.
pub fn said_by(
    program: &str,
    arguments: &[&str],
    variables: &[(&str, &str)],
    directory: &Path,
) -> Result<(bool, String)> {
    let mut command = program_of(program)?;
    let output = command.args(arguments).envs(variables.iter().copied()).current_dir(directory).output()?;
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    Ok((output.status.success(), said.concat()))
}

/// One of our programs, or another one, that runs until this is dropped.
#[derive(Debug)]
pub struct Daemon(Child);

impl Daemon {
    /// As [`said_by`]; what it writes goes to `directory/LOG`.
    pub fn start(program: &str, arguments: &[&str], directory: &Path, log: &str) -> Result<Self> {
        let mut command = program_of(program)?;
        let log = File::create(directory.join(log))?;
        let command = command.args(arguments).current_dir(directory).stdin(Stdio::null());
        let child = command.stdout(log.try_clone()?).stderr(log).spawn();
        Ok(Self(child.with_context(|| format!("{program} does not start"))?))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
