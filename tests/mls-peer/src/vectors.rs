//! Conformance vectors of MLS, which the SDK plays as well: a member with known keys, what it is sent, and the secret of each
//! epoch (`control-plane/web/sdk/tests/e2ee-mls-vectors.test.ts`), and credentials of leaves by keys of profiles
//! (`e2ee-mls-leaves.test.ts`).

use crate::client::client_of;
use crate::names::{Name, Names};
use crate::primitives::{Failure, LABEL};
use crate::profile::Profile;
use mls_rs::MlsMessage;
use mls_rs::group::{ExportedTree, ReceivedMessage};
use mls_rs::storage_provider::KeyPackageData;
use mls_rs::storage_provider::in_memory::InMemoryKeyPackageStorage;
use serde::Deserialize;

const MEMBER: &str = include_str!("../../../shared/fixtures/e2ee/mls-member.json");
const LEAVES: &str = include_str!("../../../shared/fixtures/e2ee/mls-leaves.json");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    channel_id: String,
    key_package: String,
    key_package_ref: String,
    init_key: String,
    encryption_key: String,
    signature_key: String,
    signature_public_key: String,
    credential: String,
    welcome: String,
    tree: String,
    epochs: Vec<Epoch>,
}

#[derive(Deserialize)]
struct Epoch {
    /// None leads to the first: that is the Welcome's.
    commit: String,
    epoch: u64,
    secret: String,
    members: Vec<Member>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Member {
    leaf: u32,
    session_id: String,
    user_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Leaf {
    channel_id: String,
    session_id: String,
    user_id: String,
    leaf_key: String,
    profile_seed: String,
    profile_key: String,
    credential: String,
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap_or_default());
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

#[test]
fn a_member_by_a_welcome_is_at_the_epochs_of_the_vector() -> Result<(), Failure> {
    let vector: Vector = serde_json::from_str(MEMBER)?;
    let packages = InMemoryKeyPackageStorage::new();
    let (init, encryption) = (bytes(&vector.init_key).into(), bytes(&vector.encryption_key).into());
    let package = KeyPackageData::new(bytes(&vector.key_package), init, encryption, u64::MAX);
    packages.insert(bytes(&vector.key_package_ref), package);
    // What this provider takes for a secret key of Ed25519 is the seed and the public key.
    let (seed, public) = (bytes(&vector.signature_key), bytes(&vector.signature_public_key));
    let secret = [seed, public.clone()].concat().into();
    // Each leaf's proof, which the SDK signed, is checked as well.
    let names = Names { channel_id: Some(vector.channel_id.clone()) };
    let client = client_of(names, bytes(&vector.credential), secret, public.into(), packages);
    let tree = ExportedTree::from_bytes(&bytes(&vector.tree))?;
    let welcome = MlsMessage::from_bytes(&bytes(&vector.welcome))?;
    let (mut group, _) = client.join_group(Some(tree), &welcome, None)?;
    assert_eq!(vector.epochs.len(), 5);
    for Epoch { commit, epoch, secret, members } in vector.epochs {
        if !commit.is_empty() {
            let received = group.process_incoming_message(MlsMessage::from_bytes(&bytes(&commit))?)?;
            assert!(matches!(received, ReceivedMessage::Commit(_)), "{received:?}");
        }
        assert_eq!(group.current_epoch(), epoch);
        let exported = group.export_secret(LABEL, vector.channel_id.as_bytes(), 32)?;
        assert_eq!(exported.as_bytes(), bytes(&secret), "the secret of epoch {epoch}");
        let there = group.roster().members_iter().map(|it| {
            let Name { session_id, user_id, .. } = Name::of(&it.signing_identity)?;
            Ok(Member {
                leaf: it.index,
                session_id: String::from_utf8(session_id)?,
                user_id: String::from_utf8(user_id)?,
            })
        });
        assert_eq!(there.collect::<Result<Vec<_>, Failure>>()?, members);
    }
    Ok(())
}

#[test]
fn a_leaf_by_the_key_of_a_profile_has_the_credential_of_the_vector() -> Result<(), Failure> {
    let leaves: Vec<Leaf> = serde_json::from_str(LEAVES)?;
    assert_eq!(leaves.len(), 3);
    for leaf in leaves {
        let profile = Profile::read(&bytes(&[leaf.profile_seed, leaf.profile_key].concat()))?;
        let own = (leaf.session_id.as_str(), leaf.user_id.as_str());
        let credential = Name::proven(&leaf.channel_id, own, &bytes(&leaf.leaf_key).into(), &profile)?;
        assert_eq!(credential, bytes(&leaf.credential), "of {}", leaf.session_id);
    }
    Ok(())
}
