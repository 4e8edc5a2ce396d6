//! A real etcd for tests: a process of the test's own on free ports, in a directory of its own.

use crate::store::{EtcdError, Store};
use railgun_shared::settings::EtcdSettings;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const READY_TIMEOUT: Duration = Duration::from_secs(30);
const READY_POLL: Duration = Duration::from_millis(50);

/// A running etcd; ends, and its data with it, when this is dropped.
#[derive(Debug)]
pub struct EtcdServer {
    child: Option<Child>,
    clients: SocketAddr,
    peers: SocketAddr,
    directory: PathBuf,
}

impl EtcdServer {
    /// Starts one and waits until it answers.
    ///
    /// # Errors
    /// If `etcd` is not installed, or does not answer.
    pub async fn start() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("railgun-etcd-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr();
        let mut server = Self { child: None, clients: free()?, peers: free()?, directory };
        server.start_again().await?;
        Ok(server)
    }

    /// Starts it with the data that it had.
    pub async fn start_again(&mut self) -> io::Result<()> {
        let clients = format!("http://{}", self.clients);
        let peers = format!("http://{}", self.peers);
        let log = std::fs::File::create(self.directory.join("etcd.log"))?;
        let child = Command::new("etcd")
            .args(["--name", "test", "--data-dir", &self.directory.join("data").to_string_lossy()])
            .args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients])
            .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &format!("test={peers}")])
            // Tests share the machine with it, and none of them is about the disk.
            .args(["--unsafe-no-fsync"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|cause| io::Error::new(cause.kind(), format!("etcd does not start: {cause}")))?;
        self.child = Some(child);
        let store = self.store();
        let until = Instant::now() + READY_TIMEOUT;
        while let Err(error) = store.read("ready").await {
            if Instant::now() > until {
                return Err(io::Error::other(format!("etcd was not ready: {error}")));
            }
            sleep(READY_POLL).await;
        }
        Ok(())
    }

    /// Kills it; its data stays.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            _ = child.kill();
            _ = child.wait();
        }
    }

    /// Forgets what was before `revision`.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn compact(&self, revision: i64) -> Result<(), EtcdError> {
        let mut client = self.store().client().await?;
        Ok(client.compact(revision, None).await.map(drop)?)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.clients)
    }

    /// Settings that reach it.
    pub fn settings(&self) -> EtcdSettings {
        EtcdSettings {
            endpoints: vec![self.url()],
            user: None,
            ca: None,
            identity: None,
            prefix: EtcdSettings::PREFIX.into(),
        }
    }

    /// A connection of its own.
    ///
    /// # Panics
    /// Not with these settings.
    pub fn store(&self) -> Store {
        Store::open(&self.settings()).expect("settings without files")
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        self.kill();
        _ = std::fs::remove_dir_all(&self.directory);
    }
}
