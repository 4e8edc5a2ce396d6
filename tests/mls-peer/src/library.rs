//! MLS by mls-rs for one session of a channel: states that do not change, and messages as bytes. Whatever is not as it has
//! to be is a failure.

use crate::client::{Config, client_of};
use crate::encoding::{self, Past};
use crate::names::{Name, Names};
use crate::primitives::{BANNED, COMMITS, Failure, LABEL, SUITE, provider};
use crate::profile::Profile;
use mls_rs::extension::built_in::RatchetTreeExt;
use mls_rs::group::proposal::Proposal;
use mls_rs::group::{CommitEffect, ContentType, GroupContext, ReceivedMessage, Roster, Sender};
use mls_rs::mls_rs_codec::MlsEncode;
use mls_rs::storage_provider::in_memory::InMemoryKeyPackageStorage;
use mls_rs::{
    CipherSuiteProvider, Client, Extension, ExtensionList, Group, KeyPackage, MlsMessage,
    MlsMessageDescription,
};
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

/// Key packages that were handed in and may yet be answered by a Welcome.
const PACKAGES_MAX: usize = 4;
pub(crate) const SECRET_BYTES: usize = 32;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    pub(crate) leaf: u32,
    pub(crate) session_id: String,
    pub(crate) user_id: String,
    /// The leaf's signature key: another one for each join.
    pub(crate) key: Vec<u8>,
}

/// An epoch of a group, by what it is called.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) group: Vec<u8>,
    pub(crate) epoch: u64,
}

/// What a member or a GroupInfo tells of an epoch.
#[derive(Clone, Debug)]
pub(crate) struct Epoch {
    pub(crate) at: Place,
    pub(crate) members: Vec<Member>,
    /// Sessions whose commits nobody applies.
    pub(crate) banned: Vec<String>,
    /// The encoded GroupContext, which has a hash of all commits: two epochs that were forked have different ones.
    pub(crate) tag: Vec<u8>,
}

/// An epoch of a group, for somebody who is in it.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) epoch: Epoch,
    group: Group<Config>,
}

/// A GroupInfo whose signature holds.
pub(crate) struct Info {
    pub(crate) epoch: Epoch,
    pub(crate) signer: Member,
    /// The last that led there.
    pub(crate) commits: Vec<Past>,
    message: MlsMessage,
}

/// A key package that its session handed in.
#[derive(Clone)]
pub(crate) struct Package {
    pub(crate) session_id: String,
    /// The signature key of the leaf that it makes.
    pub(crate) key: Vec<u8>,
    package: MlsMessage,
}

pub(crate) struct Committed {
    pub(crate) commit: Vec<u8>,
    pub(crate) next: Rc<State>,
    /// For each session that was added.
    pub(crate) welcomes: Vec<(String, Vec<u8>)>,
}

pub(crate) enum Applied {
    Next(Rc<State>),
    /// The commit takes this member out.
    Removed,
}

pub(crate) struct Own {
    pub(crate) channel_id: String,
    pub(crate) session_id: String,
    pub(crate) user_id: String,
}

pub(crate) struct Library {
    own: Own,
    /// By which its leaves are proven.
    profile: Profile,
    /// By which GroupInfos are checked.
    reader: Client<Config>,
    /// Newest first.
    packages: VecDeque<Client<Config>>,
}

impl Library {
    pub(crate) fn new(own: Own, profile: Profile) -> Result<Self, Failure> {
        let reader = fresh(&own, &profile)?;
        Ok(Self { own, profile, reader, packages: VecDeque::new() })
    }

    pub(crate) fn found(&self, group: &[u8], banned: &[String]) -> Result<Rc<State>, Failure> {
        let context: ExtensionList = vec![Extension::new(BANNED, encoding::encode_sessions(banned))].into();
        let none = ExtensionList::new();
        State::of(self.fresh()?.create_group_with_id(group.to_vec(), context, none, None)?)
    }

    pub(crate) fn read_info(&self, bytes: &[u8]) -> Result<Info, Failure> {
        let message = MlsMessage::from_bytes(bytes)?;
        let info = message.as_group_info().ok_or("no GroupInfo")?;
        let context = info.group_context();
        let tree = info.extensions().get_as::<RatchetTreeExt>()?.ok_or("a GroupInfo without its tree")?;
        let roster = tree.tree_data().roster();
        let epoch = Epoch::of(context, &roster)?;
        let signer = epoch.members.iter().find(|it| it.leaf == info.sender()).cloned();
        let signer = signer.ok_or("signed by nobody")?;
        let identity = roster.member_with_index(signer.leaf)?.signing_identity;
        self.reader.validate_group_info(&message, &identity)?;
        let past = info.extensions().get(COMMITS).map(|it| encoding::decode_commits(&it.extension_data));
        Ok(Info { epoch, signer, commits: past.unwrap_or_default(), message })
    }

    /// A GroupInfo with the tree and the key for external commits.
    pub(crate) fn info(&self, state: &State, commits: &[Past]) -> Result<Vec<u8>, Failure> {
        let past = Extension::new(COMMITS, encoding::encode_commits(commits));
        let extensions: ExtensionList = if commits.is_empty() { vec![] } else { vec![past] }.into();
        Ok(state
            .group
            .group_info_message_allowing_ext_commit_with_extensions(true, extensions)?
            .to_bytes()?)
    }

    /// By an external commit, which takes the own session's former leaf out.
    pub(crate) fn join_by_info(&self, info: &Info) -> Result<Committed, Failure> {
        let mut builder = self.fresh()?.external_commit_builder()?;
        if let Some(former) = info.epoch.member(&self.own.session_id) {
            builder = builder.with_removal(former.leaf);
        }
        let (group, commit) = builder.build(info.message.clone())?;
        Ok(Committed { commit: commit.to_bytes()?, next: State::of(group)?, welcomes: Vec::new() })
    }

    /// A proposal to add oneself to the group of a GroupInfo; the secrets for the Welcome are kept.
    pub(crate) fn propose(&mut self, to: &Info) -> Result<Vec<u8>, Failure> {
        self.propose_to(&to.message)
    }

    /// The same, to a group that one has lost one's way in.
    pub(crate) fn propose_again(&mut self, to: &State) -> Result<Vec<u8>, Failure> {
        self.propose_to(&to.group.group_info_message(true)?)
    }

    fn propose_to(&mut self, info: &MlsMessage) -> Result<Vec<u8>, Failure> {
        let (client, none) = (self.fresh()?, ExtensionList::new);
        let proposal = client.external_add_proposal(info, None, vec![], none(), none(), None)?;
        self.packages.push_front(client);
        self.packages.truncate(PACKAGES_MAX);
        Ok(proposal.to_bytes()?)
    }

    /// Its signature and its place in a tree are checked when it is added.
    pub(crate) fn read_proposal(&self, bytes: &[u8]) -> Result<Package, Failure> {
        let package = encoding::proposed_package(bytes)?;
        if package.cipher_suite() != SUITE {
            return Err("a package of another suite".into());
        }
        let identity = package.signing_identity();
        let session_id = String::from_utf8(Name::of(identity)?.session_id)?;
        self.names().check(identity)?;
        let key = identity.signature_key.as_bytes().to_vec();
        Ok(Package { session_id, key, package: message_of(&package)? })
    }

    /// `info`: with the tree of the Welcome's epoch.
    pub(crate) fn join_by_welcome(&self, welcome: &[u8], info: &Info) -> Result<Rc<State>, Failure> {
        let welcome = MlsMessage::from_bytes(welcome)?;
        let group_info = info.message.as_group_info().ok_or("no GroupInfo")?;
        let tree = group_info.extensions().get_as::<RatchetTreeExt>()?.ok_or("no tree")?.tree_data;
        let join = |client: &Client<Config>| client.join_group(Some(tree.clone()), &welcome, None).ok();
        let (group, _) = self.packages.iter().find_map(join).ok_or("a Welcome for somebody else")?;
        let state = State::of(group)?;
        if state.epoch.tag != info.epoch.tag {
            return Err("a Welcome to another epoch".into());
        }
        Ok(state)
    }

    pub(crate) fn commit(
        &self,
        state: &State,
        add: &[Package],
        remove: &[u32],
    ) -> Result<Committed, Failure> {
        let mut group = state.group.clone();
        let mut builder = group.commit_builder();
        for leaf in remove {
            builder = builder.remove_member(*leaf)?;
        }
        for package in add {
            builder = builder.add_member(package.package.clone())?;
        }
        let made = builder.build()?;
        group.apply_pending_commit()?;
        let suite = provider();
        let welcome_of = |package: &Package| -> Result<(String, Vec<u8>), Failure> {
            let reference = package.package.key_package_reference(&suite)?.ok_or("no key package")?;
            let is_for = |it: &&MlsMessage| it.welcome_key_package_references().contains(&&reference);
            let welcome = made.welcome_messages.iter().find(is_for).ok_or("nobody was added")?;
            Ok((package.session_id.clone(), welcome.to_bytes()?))
        };
        let welcomes = add.iter().map(welcome_of).collect::<Result<_, _>>()?;
        Ok(Committed { commit: made.commit_message.to_bytes()?, next: State::of(group)?, welcomes })
    }

    /// `author`: the session that sent it, by the server's word. Nobody's leaf but its own may be added by an external
    /// commit, or taken out by one.
    pub(crate) fn apply(&self, state: &State, commit: &[u8], author: &str) -> Result<Applied, Failure> {
        let message = MlsMessage::from_bytes(commit)?;
        let before = &state.epoch;
        if before.banned.iter().any(|it| it == author) {
            return Err("of somebody whose commits are not applied".into());
        }
        // Proposals by reference may have been kept from somebody.
        if !is_commit(&message) || !message.proposals_by_reference().is_empty() {
            return Err("no commit with its proposals in it".into());
        }
        let is_external = is_external(&message);
        let may = |proposal: &&Proposal| match proposal {
            Proposal::Add(_) => !is_external,
            Proposal::ExternalInit(_) => is_external,
            Proposal::Remove(remove) => !is_external || before.session_at(remove.to_remove()) == Some(author),
            _ => false,
        };
        if !message.proposals_by_value().iter().all(may) {
            return Err("a proposal that its author may not make".into());
        }
        let mut group = state.group.clone();
        let ReceivedMessage::Commit(done) = group.process_incoming_message(message)? else {
            return Err("no commit".into());
        };
        if !is_external && before.session_at(done.committer) != Some(author) {
            return Err("a commit of another member".into());
        }
        if matches!(done.effect, CommitEffect::Removed { .. }) {
            return Ok(Applied::Removed);
        }
        let next = State::of(group)?;
        let members = &next.epoch.members;
        let is_new = |it: &Member| before.members.iter().all(|known| known.key != it.key);
        if is_external && !members.iter().any(|it| it.session_id == author && is_new(it)) {
            return Err("joined by another name".into());
        }
        let sessions: HashSet<&str> = members.iter().map(|it| it.session_id.as_str()).collect();
        if sessions.len() != members.len() {
            return Err("two leaves of one session".into());
        }
        Ok(Applied::Next(next))
    }

    /// The secret that the keys of this epoch's frames are derived from.
    pub(crate) fn secret(&self, state: &State) -> Result<Vec<u8>, Failure> {
        let channel = self.own.channel_id.as_bytes();
        Ok(state.group.export_secret(LABEL, channel, SECRET_BYTES)?.as_bytes().to_vec())
    }

    fn names(&self) -> Names {
        Names { channel_id: Some(self.own.channel_id.clone()) }
    }

    fn fresh(&self) -> Result<Client<Config>, Failure> {
        fresh(&self.own, &self.profile)
    }
}

/// A client with a signature key that no leaf had before.
fn fresh(own: &Own, profile: &Profile) -> Result<Client<Config>, Failure> {
    let Own { channel_id, session_id, user_id } = own;
    let (secret, public) = provider().signature_key_generate()?;
    let identity = Name::proven(channel_id, (session_id, user_id), &public, profile)?;
    let names = Names { channel_id: Some(channel_id.clone()) };
    Ok(client_of(names, identity, secret, public, InMemoryKeyPackageStorage::new()))
}

/// The group and epoch that a proposal, a commit or a GroupInfo is of.
pub(crate) fn envelope(bytes: &[u8]) -> Option<Place> {
    let message = MlsMessage::from_bytes(bytes).ok()?;
    Some(Place { group: message.group_id()?.to_vec(), epoch: message.epoch()? })
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    provider().random_bytes(&mut bytes)?;
    Ok(bytes)
}

fn is_commit(message: &MlsMessage) -> bool {
    let description = message.description();
    matches!(
        description,
        MlsMessageDescription::PublicProtocolMessage { content_type: ContentType::Commit, .. }
    )
}

fn is_external(message: &MlsMessage) -> bool {
    let description = message.description();
    matches!(
        description,
        MlsMessageDescription::PublicProtocolMessage { sender: Sender::NewMemberCommit, .. }
    )
}

/// A KeyPackage as an MLSMessage (RFC 9420, section 6): version 1, wire format 5.
fn message_of(package: &KeyPackage) -> Result<MlsMessage, Failure> {
    let mut bytes = vec![0, 1, 0, 5];
    package.mls_encode(&mut bytes)?;
    Ok(MlsMessage::from_bytes(&bytes)?)
}

impl Epoch {
    fn of(context: &GroupContext, roster: &Roster<'_>) -> Result<Self, Failure> {
        if context.cipher_suite != SUITE {
            return Err("a group of another suite".into());
        }
        let member = |it: mls_rs::group::Member| -> Result<Member, Failure> {
            let name = Name::of(&it.signing_identity)?;
            Ok(Member {
                leaf: it.index,
                session_id: String::from_utf8(name.session_id)?,
                user_id: String::from_utf8(name.user_id)?,
                key: it.signing_identity.signature_key.as_bytes().to_vec(),
            })
        };
        let members = roster.members_iter().map(member).collect::<Result<_, _>>()?;
        let banned = context.extensions.get(BANNED);
        let banned = banned.map(|it| encoding::decode_sessions(&it.extension_data)).unwrap_or_default();
        let at = Place { group: context.group_id.clone(), epoch: context.epoch };
        Ok(Self { at, members, banned, tag: context.mls_encode_to_vec()? })
    }

    pub(crate) fn member(&self, session_id: &str) -> Option<&Member> {
        self.members.iter().find(|it| it.session_id == session_id)
    }

    fn session_at(&self, leaf: u32) -> Option<&str> {
        self.members.iter().find(|it| it.leaf == leaf).map(|it| it.session_id.as_str())
    }
}

impl State {
    fn of(group: Group<Config>) -> Result<Rc<Self>, Failure> {
        let epoch = Epoch::of(group.context(), &group.roster())?;
        Ok(Rc::new(Self { epoch, group }))
    }
}
