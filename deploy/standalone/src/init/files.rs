//! Files that `init` writes: a service's secrets are readable by its group alone.

use anyhow::Context;
use railgun_control::auth::LocalKey;
use railgun_control::{OperatorScope, operator_token_entry};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Readable {
    All,
    Service,
    Owner,
}

/// Where files are written, each once, and for whom.
pub(super) struct Files {
    pub(super) dir: PathBuf,
    /// The service's user and group, if there is one.
    owner: Option<(u32, u32)>,
}

impl Files {
    /// Into `dir`; `user`: the service's, which need not be there.
    pub(super) fn new(dir: PathBuf, user: &str) -> Self {
        Self { dir, owner: owner(user) }
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// As a TOML text.
    pub(super) fn quoted(&self, name: &str) -> String {
        format!("{:?}", self.at(name).display().to_string())
    }

    /// The key that tokens are signed with, which no service reads, its JWKS, and a token of the operators' API.
    pub(super) fn keys(&self) -> anyhow::Result<String> {
        LocalKey::open_or_create(&self.at("token.key")).context("the key for users' tokens")?;
        let token = format!("{:032x}", rand::random::<u128>());
        let scopes = [
            OperatorScope::ReadChannels,
            OperatorScope::WriteChannels,
            OperatorScope::ReadRooms,
            OperatorScope::WriteRooms,
            OperatorScope::ReadNodes,
            OperatorScope::WriteNodes,
        ];
        self.write("operators.toml", &operator_token_entry("first", &token, &scopes), Readable::Service)?;
        Ok(token)
    }

    pub(super) fn drop_in(&self, unit: &str, command: &str, name: &str) -> anyhow::Result<()> {
        let text = format!(
            "# Copy to /etc/systemd/system/{unit}.service.d/local.conf\n[Service]\nExecStart=\nExecStart={command} {}\n\
             # Media threads on processors of their own:\n#CPUAffinity=0-3\n",
            self.at(name).display()
        );
        self.write(&format!("{unit}.service.d.conf"), &text, Readable::All)
    }

    pub(super) fn write(&self, name: &str, text: &str, readable: Readable) -> anyhow::Result<()> {
        let path = self.at(name);
        let mode = match readable {
            Readable::All => 0o644,
            Readable::Service => 0o640,
            Readable::Owner => 0o600,
        };
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| format!("{} cannot be written", path.display()))?;
        if readable == Readable::Service { self.give(&path) } else { Ok(()) }
    }

    /// Lets the service read it: the file's group becomes the service's.
    pub(super) fn give(&self, path: &Path) -> anyhow::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let Some((_, group)) = self.owner else { return Ok(()) };
        chown(path, None, Some(group)).with_context(|| format!("the group of {}", path.display()))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o640))?;
        Ok(())
    }
}

/// User and group by `/etc/passwd`; None: there is no such user.
fn owner(user: &str) -> Option<(u32, u32)> {
    let text = fs::read_to_string("/etc/passwd").ok()?;
    let line = text.lines().find(|line| line.split(':').next() == Some(user))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
