//! Certificates in PEM files: what is wrong with one in a sentence, and a TLS listener that shows what the files
//! have become.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod check;
mod files;
mod server;

pub use check::{check_authority, check_etcd, check_pair};
pub use files::{CertificateError, Pair, Shown, authority, pair};
pub use server::Server;
