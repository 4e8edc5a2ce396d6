//! Certificates in PEM files: checks that say in a sentence what is wrong with one, and a TLS listener that reads the
//! files again when they change.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod check;
mod ends;
mod files;
mod server;

pub use check::{check_authority, check_etcd, check_pair};
pub use ends::register_ends;
pub use files::{CertificateError, Pair, Shown, authority, authority_pem, pair};
pub use server::Server;
