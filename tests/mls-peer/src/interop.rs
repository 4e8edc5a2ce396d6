//! One member of a group by mls-rs, which does as it is told: for
//! `control-plane/web/sdk/tests/e2ee-mls-interop.test.ts`.

use crate::client::client_of;
use crate::names::Names;
use crate::primitives::{BANNED, Failure, LABEL, provider};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mls_rs::client_builder::MlsConfig;
use mls_rs::error::MlsError;
use mls_rs::group::{ExportedTree, ReceivedMessage};
use mls_rs::storage_provider::in_memory::InMemoryKeyPackageStorage;
use mls_rs::{CipherSuiteProvider, Client, Extension, ExtensionList, Group, MlsMessage};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Write;

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
enum Request {
    /// First of all: with the identity of its basic credential.
    Begin {
        identity: String,
    },
    Found {
        group: String,
        banned: String,
    },
    /// Gives a GroupInfo, with the tree and the key for external commits.
    Info,
    /// Gives an external commit.
    JoinByInfo {
        info: String,
    },
    /// Gives a key package.
    Package,
    JoinByWelcome {
        welcome: String,
        tree: String,
    },
    /// Gives a commit and its Welcome.
    Add {
        package: String,
    },
    /// Gives a commit.
    Remove {
        leaf: u32,
    },
    Apply {
        commit: String,
    },
    /// What is exported for frames.
    Secret {
        channel: String,
    },
}

struct Peer<C: MlsConfig> {
    client: Client<C>,
    group: Option<Group<C>>,
}

fn client(identity: Vec<u8>) -> Result<Client<impl MlsConfig>, Failure> {
    let (secret, public) = provider().signature_key_generate()?;
    // Whose leaves are whose is what the SDK checks in these tests.
    let names = Names { channel_id: None };
    Ok(client_of(names, identity, secret, public, InMemoryKeyPackageStorage::new()))
}

fn bytes(text: &str) -> Result<Vec<u8>, Failure> {
    Ok(STANDARD.decode(text)?)
}

fn message(text: &str) -> Result<MlsMessage, Failure> {
    Ok(MlsMessage::from_bytes(&bytes(text)?)?)
}

fn text(message: &MlsMessage) -> Result<String, MlsError> {
    message.to_bytes().map(|bytes| STANDARD.encode(bytes))
}

impl<C: MlsConfig> Peer<C> {
    fn group(&mut self) -> Result<&mut Group<C>, Failure> {
        self.group.as_mut().ok_or_else(|| "not in a group".into())
    }

    fn answer(&mut self, request: Request) -> Result<Value, Failure> {
        Ok(match request {
            Request::Begin { .. } => return Err("it has begun".into()),
            Request::Found { group, banned } => {
                let context: ExtensionList = vec![Extension::new(BANNED, bytes(&banned)?)].into();
                let id = bytes(&group)?;
                self.group =
                    Some(self.client.create_group_with_id(id, context, ExtensionList::new(), None)?);
                json!({})
            }
            Request::Info => {
                json!({ "info": text(&self.group()?.group_info_message_allowing_ext_commit(true)?)? })
            }
            Request::JoinByInfo { info } => {
                let (group, commit) = self.client.external_commit_builder()?.build(message(&info)?)?;
                self.group = Some(group);
                json!({ "commit": text(&commit)? })
            }
            Request::Package => {
                let none = ExtensionList::new;
                json!({ "package": text(&self.client.generate_key_package_message(none(), none(), None)?)? })
            }
            Request::JoinByWelcome { welcome, tree } => {
                let tree = ExportedTree::from_bytes(&bytes(&tree)?)?;
                self.group = Some(self.client.join_group(Some(tree), &message(&welcome)?, None)?.0);
                json!({})
            }
            Request::Add { package } => {
                let group = self.group()?;
                let made = group.commit_builder().add_member(message(&package)?)?.build()?;
                group.apply_pending_commit()?;
                let welcome = made.welcome_messages.first().ok_or("no Welcome")?;
                json!({ "commit": text(&made.commit_message)?, "welcome": text(welcome)? })
            }
            Request::Remove { leaf } => {
                let group = self.group()?;
                let made = group.commit_builder().remove_member(leaf)?.build()?;
                group.apply_pending_commit()?;
                json!({ "commit": text(&made.commit_message)? })
            }
            Request::Apply { commit } => match self.group()?.process_incoming_message(message(&commit)?)? {
                ReceivedMessage::Commit(_) => json!({}),
                _ => return Err("no commit".into()),
            },
            Request::Secret { channel } => {
                let group = self.group()?;
                let secret = group.export_secret(LABEL, channel.as_bytes(), 32)?;
                json!({ "secret": STANDARD.encode(secret.as_bytes()), "epoch": group.current_epoch() })
            }
        })
    }
}

/// Answers each line of the input; `first` asks to begin.
pub(crate) fn serve(
    first: &str,
    lines: impl Iterator<Item = std::io::Result<String>>,
) -> Result<(), Failure> {
    let Request::Begin { identity } = serde_json::from_str(first)? else {
        return Err("it has not begun".into());
    };
    let mut peer = Peer { client: client(bytes(&identity)?)?, group: None };
    println!("{}", json!({}));
    for line in lines {
        let answer = serde_json::from_str(&line?)
            .map_err(Failure::from)
            .and_then(|request| peer.answer(request))
            .unwrap_or_else(|error| json!({ "error": error.to_string() }));
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}
