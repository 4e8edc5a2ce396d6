//! One member of a group by mls-rs, for `control-plane/web/sdk/tests/e2ee-mls-interop.test.ts`: each line of the input is a
//! request, each line of the output its answer. Bytes are in base64. It has no part in any program.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mls_rs::client_builder::MlsConfig;
use mls_rs::crypto::{SignaturePublicKey, SignatureSecretKey};
use mls_rs::error::MlsError;
use mls_rs::extension::ExtensionType;
use mls_rs::group::{ExportedTree, ReceivedMessage};
use mls_rs::identity::SigningIdentity;
use mls_rs::identity::basic::BasicCredential;
use mls_rs::storage_provider::in_memory::InMemoryKeyPackageStorage;
use mls_rs::{
    CipherSuite, CipherSuiteProvider, Client, CryptoProvider, Extension, ExtensionList, Group, MlsMessage,
};
use mls_rs_crypto_rustcrypto::RustCryptoProvider;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{BufRead, Write};

mod names;
#[cfg(test)]
mod vectors;

const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;
/// Of the GroupContext: sessions whose commits are not applied.
const BANNED: ExtensionType = ExtensionType::new(0xf0e3);
const LABEL: &[u8] = b"railgun e2ee 1";

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

type Failure = Box<dyn std::error::Error>;

struct Peer<C: MlsConfig> {
    client: Client<C>,
    group: Option<Group<C>>,
}

fn client(identity: Vec<u8>) -> Result<Client<impl MlsConfig>, Failure> {
    let suite = RustCryptoProvider::default().cipher_suite_provider(SUITE).ok_or("no such suite")?;
    let (secret, public) = suite.signature_key_generate()?;
    Ok(client_of(identity, secret, public, InMemoryKeyPackageStorage::new()))
}

/// `packages`: those that it may be added by, beside its own.
fn client_of(
    identity: Vec<u8>,
    secret: SignatureSecretKey,
    public: SignaturePublicKey,
    packages: InMemoryKeyPackageStorage,
) -> Client<impl MlsConfig> {
    let signing = SigningIdentity::new(BasicCredential::new(identity).into_credential(), public);
    let builder = Client::builder().identity_provider(names::Names);
    let builder = builder.crypto_provider(RustCryptoProvider::default()).key_package_repo(packages);
    builder.extension_type(BANNED).signing_identity(signing, secret, SUITE).build()
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

fn main() -> Result<(), Failure> {
    let mut lines = std::io::stdin().lock().lines();
    let first = lines.next().ok_or("nothing to do")??;
    let Request::Begin { identity } = serde_json::from_str(&first)? else {
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
