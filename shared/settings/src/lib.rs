//! Settings of a program: gathered from their sources, and read into types with errors that name
//! the key, the value and what is allowed.
//!
//! A setting comes from a flag, else from the environment (`RAILGUN_` and the key in capitals, dots
//! as underscores: `media.url` is `RAILGUN_MEDIA_URL`), else from the TOML file, else it is not set.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod gather;
mod etcd;
mod file;
mod render;
mod report;
mod setting;
mod table;
mod traces;

pub use etcd::{EtcdSettings, PasswordError};
pub use file::{file_flags, read_file, read_table};
pub use gather::{Settings, SettingsError, Sources, check_environment, variables};
pub use render::{documentation, sample};
pub use report::Report;
pub use setting::{Setting, Unset};
pub use table::Program;
pub use traces::TraceSettings;
