//! A real etcd for tests: processes of the test's own on free ports, in a directory of their own; and addresses for
//! other servers of tests.

use crate::error::EtcdError;
use crate::store::{Store, end_of};
use etcd_client::{AlarmAction, AlarmOptions, AlarmType, GetOptions, Permission};
use railgun_settings::EtcdSettings;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const READY_TIMEOUT: Duration = Duration::from_secs(30);
const READY_POLL: Duration = Duration::from_millis(50);
/// Beside what is ours.
const FILLER: &str = "/filler/";
const FILLER_BYTES: usize = 64 * 1024;

/// Ports that [`free_address`] gives: below 32768-60999, of which Linux gives one to any connection that goes out.
const SERVER_PORTS: std::ops::Range<u16> = 10_000..32_000;

/// A TCP address on loopback on which nothing listens, for a server that is started next. Each of 22,000 ports is given once
/// to a process. The kernel gives none of them to an outgoing connection, as it does with a port that it chose for a listener
/// which was closed again.
///
/// # Errors
/// If every port is taken.
pub fn free_address() -> io::Result<SocketAddr> {
    static GIVEN: AtomicUsize = AtomicUsize::new(0);
    // Processes that run at the same time begin at different ports.
    let begin = usize::try_from(std::process::id()).map_or(0, |id| id.wrapping_mul(61));
    for _ in SERVER_PORTS {
        let number = begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = SERVER_PORTS.clone().nth(number % SERVER_PORTS.len()).unwrap_or(SERVER_PORTS.start);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener.local_addr();
        }
    }
    Err(io::Error::other(format!("no TCP port of {SERVER_PORTS:?} is free")))
}

/// A running etcd; ends, and its data with it, when this is dropped.
#[derive(Debug)]
pub struct EtcdServer {
    members: Vec<Member>,
    tls: Option<EtcdTls>,
    user: Option<(String, PathBuf)>,
    /// Bytes that each member's database may have; none: etcd's own quota.
    quota: Option<u64>,
    directory: PathBuf,
}

#[derive(Debug)]
struct Member {
    /// None: killed.
    child: Option<Child>,
    clients: SocketAddr,
    peers: SocketAddr,
}

/// PEM files of an etcd that talks to those only who have a certificate.
#[derive(Clone, Debug)]
pub struct EtcdTls {
    /// Certificate of the authority that signed the others.
    pub ca: PathBuf,
    /// Certificate and key of every member.
    pub server: (PathBuf, PathBuf),
    /// Certificate and key of whoever uses it.
    pub client: (PathBuf, PathBuf),
}

impl EtcdServer {
    /// Starts one member and waits until it answers.
    ///
    /// # Errors
    /// If `etcd` is not installed, or does not answer.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(1, None).await
    }

    /// Starts one member whose database takes so many bytes.
    ///
    /// # Errors
    /// The same.
    pub async fn start_with_quota(bytes: u64) -> io::Result<Self> {
        Self::start_of(1, None, Some(bytes)).await
    }

    /// Starts so many members.
    ///
    /// # Errors
    /// The same.
    pub async fn start_with(members: usize, tls: Option<EtcdTls>) -> io::Result<Self> {
        Self::start_of(members, tls, None).await
    }

    async fn start_of(members: usize, tls: Option<EtcdTls>, quota: Option<u64>) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("railgun-etcd-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        let member = |_| Ok(Member { child: None, clients: free_address()?, peers: free_address()? });
        let members = (0..members).map(member).collect::<io::Result<_>>()?;
        let mut server = Self { members, tls, user: None, quota, directory };
        server.start_again().await?;
        Ok(server)
    }

    /// Starts those that were killed, with the data that they had.
    ///
    /// # Errors
    /// If they do not answer.
    pub async fn start_again(&mut self) -> io::Result<()> {
        for number in 0..self.members.len() {
            if self.members[number].child.is_none() {
                self.members[number].child = Some(self.spawn(number)?);
            }
        }
        let store = self.store();
        let until = Instant::now() + READY_TIMEOUT;
        let ready = format!("{}/ready", EtcdSettings::PREFIX);
        while let Err(error) = store.read(&ready).await {
            if Instant::now() > until {
                return Err(io::Error::other(format!("etcd was not ready: {error}")));
            }
            sleep(READY_POLL).await;
        }
        Ok(())
    }

    fn spawn(&self, number: usize) -> io::Result<Child> {
        let Member { clients, peers, .. } = &self.members[number];
        let clients = format!("{}://{clients}", self.scheme());
        let peers = format!("http://{peers}");
        let all = self.members.iter().enumerate();
        let all: Vec<_> = all.map(|(number, member)| format!("m{number}=http://{}", member.peers)).collect();
        let file = |name: String| self.directory.join(name);
        let log = std::fs::File::create(file(format!("etcd-{number}.log")))?;
        let mut command = Command::new("etcd");
        command
            .args(["--name", &format!("m{number}")])
            .arg("--data-dir")
            .arg(file(format!("data-{number}")))
            .args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients])
            .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &all.join(",")])
            // Tests share the machine with it, and none of them is about the disk.
            .args(["--unsafe-no-fsync"]);
        if let Some(bytes) = self.quota {
            command.args(["--quota-backend-bytes", &bytes.to_string()]);
        }
        if let Some(tls) = &self.tls {
            command.arg("--client-cert-auth").arg("--trusted-ca-file").arg(&tls.ca);
            command.arg("--cert-file").arg(&tls.server.0).arg("--key-file").arg(&tls.server.1);
        }
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|cause| io::Error::new(cause.kind(), format!("etcd does not start: {cause}")))
    }

    fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Kills every member; their data stays.
    pub fn kill(&mut self) {
        self.members.iter_mut().for_each(Member::kill);
    }

    /// Kills the member that leads the others.
    ///
    /// # Errors
    /// If nobody says who that is.
    pub async fn kill_leader(&mut self) -> Result<(), EtcdError> {
        self.kill_one(true).await
    }

    /// Kills a member that does not lead the others.
    ///
    /// # Errors
    /// The same.
    pub async fn kill_follower(&mut self) -> Result<(), EtcdError> {
        self.kill_one(false).await
    }

    async fn kill_one(&mut self, leads: bool) -> Result<(), EtcdError> {
        for number in 0..self.members.len() {
            let only = EtcdSettings { endpoints: vec![self.url_of(number)], ..self.settings() };
            let status = Store::open(&only)?.client().await?.status().await?;
            if leads == status.header().is_some_and(|header| header.member_id() == status.leader()) {
                self.members[number].kill();
                return Ok(());
            }
        }
        Err(EtcdError::Timeout)
    }

    /// From now on nobody is served without this user's password. The user may read and write what
    /// is ours and nothing else.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn require_password(&mut self, user: &str, password: &str) -> Result<(), EtcdError> {
        let mut client = self.store().client().await?;
        for name in ["root", user] {
            client.user_add(name, password, None).await?;
            client.role_add(name).await?;
            client.user_grant_role(name, name).await?;
        }
        let ours = Permission::read_write(format!("{}/", EtcdSettings::PREFIX)).with_prefix();
        client.role_grant_permission(user, ours).await?;
        client.auth_enable().await?;
        let file = self.directory.join("password");
        std::fs::write(&file, password).map_err(|cause| EtcdError::File {
            key: "password_file",
            path: file.clone(),
            cause,
        })?;
        self.user = Some((user.to_owned(), file));
        Ok(())
    }

    /// Forgets what was before `revision`.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn compact(&self, revision: i64) -> Result<(), EtcdError> {
        let mut client = self.store().client().await?;
        Ok(client.compact(revision, None).await.map(drop)?)
    }

    /// Writes what is nobody's until it takes no more: its alarm NOSPACE is raised then.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn fill(&self) -> Result<(), EtcdError> {
        let (store, filler) = (self.store(), vec![0; FILLER_BYTES]);
        for number in 0_u64.. {
            match store.put(&format!("{FILLER}{number}"), &filler, None).await {
                Ok(()) => {}
                Err(EtcdError::Full) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes away what [`Self::fill`] wrote, and the alarm, as an operator would.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn make_room(&self) -> Result<(), EtcdError> {
        let mut client = self.store().client().await?;
        let (from, to) = (FILLER, end_of(FILLER));
        let all = etcd_client::DeleteOptions::new().with_range(to);
        client.delete(from, Some(all)).await?;
        let now = client.get(from, Some(GetOptions::new().with_prefix())).await?;
        client.compact(now.header().map_or(0, |header| header.revision()), None).await?;
        client.defragment().await?;
        // It takes an alarm away only with the member that raised it.
        let raised = client.alarm(AlarmAction::Get, AlarmType::Nospace, None).await?;
        for alarm in raised.alarms() {
            let mut of_member = AlarmOptions::new();
            of_member.with_member(alarm.member_id());
            client.alarm(AlarmAction::Deactivate, AlarmType::Nospace, Some(of_member)).await?;
        }
        Ok(())
    }

    /// How many leases it has.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn leases(&self) -> Result<usize, EtcdError> {
        let mut client = self.store().client().await?;
        Ok(client.leases().await?.leases().len())
    }

    fn url_of(&self, number: usize) -> String {
        format!("{}://{}", self.scheme(), self.members[number].clients)
    }

    /// Settings that reach it.
    pub fn settings(&self) -> EtcdSettings {
        EtcdSettings {
            endpoints: (0..self.members.len()).map(|number| self.url_of(number)).collect(),
            user: self.user.clone(),
            ca: self.tls.as_ref().map(|tls| tls.ca.clone()),
            identity: self.tls.as_ref().map(|tls| tls.client.clone()),
            prefix: EtcdSettings::PREFIX.into(),
        }
    }

    /// A connection of its own.
    ///
    /// # Panics
    /// If the files of its certificates cannot be read.
    pub fn store(&self) -> Store {
        Store::open(&self.settings()).expect("settings with files that are there")
    }
}

impl Member {
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            _ = child.kill();
            _ = child.wait();
        }
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        self.kill();
        _ = std::fs::remove_dir_all(&self.directory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_free_address_is_given_once_and_is_no_port_of_an_outgoing_connection() {
        let given: Vec<_> = (0..500).map(|_| free_address().unwrap().port()).collect();
        assert_eq!(given.iter().collect::<HashSet<_>>().len(), given.len());
        assert!(given.iter().all(|port| SERVER_PORTS.contains(port)));
        let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
        let first: u16 = range.split_whitespace().next().unwrap().parse().unwrap();
        assert!(SERVER_PORTS.end <= first, "Linux gives out ports from {first} on");
    }
}
