//! Why a request to etcd failed.

use etcd_client::Error;
use tonic::Code;

/// etcd's word for a write that it refuses while its alarm NOSPACE is raised.
const NO_SPACE: &str = "database space exceeded";

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum EtcdError {
    /// Whether it was done is not known: read before trying again.
    #[error("etcd did not answer in time")]
    Timeout,
    /// The lease has ended or was revoked.
    #[error("the lease is gone")]
    LeaseGone,
    /// Nothing was written, and nothing will be until an operator makes room.
    #[error("etcd refuses writes: its database is full (alarm NOSPACE)")]
    Full,
    /// Any other error of the client or of etcd.
    #[error("etcd: {0}")]
    Failed(#[from] Error),
    /// A listing stopped at 1,000,000 entries under this prefix.
    #[error("{0} holds more entries than can be right")]
    TooMany(String),
    /// `etcd.ca` cannot be read, or holds no certificate.
    #[error(transparent)]
    Authority(#[from] railgun_tls::CertificateError),
    /// There is no password in `etcd.password_file`.
    #[error(transparent)]
    Password(#[from] railgun_settings::PasswordError),
    /// A PEM file that the settings name.
    #[error("etcd.{key} = {path:?} cannot be read: {cause}")]
    File {
        /// Without its section, as in `ca`.
        key: &'static str,
        /// As the settings have it.
        path: std::path::PathBuf,
        /// What reading it ended with.
        cause: std::io::Error,
    },
}

impl EtcdError {
    pub(crate) fn of(error: Error) -> Self {
        match error {
            Error::GRpcStatus(status) if status.message().contains("lease not found") => Self::LeaseGone,
            Error::GRpcStatus(status) if says_no_space(&status) => Self::Full,
            error => error.into(),
        }
    }
}

fn says_no_space(status: &tonic::Status) -> bool {
    status.code() == Code::ResourceExhausted && status.message().contains(NO_SPACE)
}
