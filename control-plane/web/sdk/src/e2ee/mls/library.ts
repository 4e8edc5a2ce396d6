/** MLS by ts-mls, for one session of a channel. */
import type { ClientConfig } from "ts-mls/clientConfig.js";
import { type ClientState, createGroup, joinGroup } from "ts-mls/clientState.js";
import { createCommit, createGroupInfoWithRatchetTree, joinGroupExternal } from "ts-mls/createCommit.js";
import type { Credential } from "ts-mls/credential.js";
import type { CiphersuiteImpl } from "ts-mls/crypto/ciphersuite.js";
import { proposeAddExternal } from "ts-mls/externalProposal.js";
import { type GroupInfo as MlsGroupInfo, ratchetTreeFromExtension, verifyGroupInfoSignature } from "ts-mls/groupInfo.js";
import { generateKeyPackageWithKey, type KeyPackage as MlsKeyPackage, makeKeyPackageRef, type PrivateKeyPackage, verifyKeyPackage } from "ts-mls/keyPackage.js";
import { defaultKeyRetentionConfig } from "ts-mls/keyRetentionConfig.js";
import { mlsExporter } from "ts-mls/keySchedule.js";
import { defaultLifetimeConfig } from "ts-mls/lifetimeConfig.js";
import { decodeMlsMessage, encodeMlsMessage, type MLSMessage } from "ts-mls/message.js";
import { defaultPaddingConfig } from "ts-mls/paddingConfig.js";
import { processPublicMessage } from "ts-mls/processMessages.js";
import { emptyPskIndex } from "ts-mls/pskIndex.js";
import type { ProposalWithSender } from "ts-mls/unappliedProposals.js";
import { type Bytes, concat, equal, toHex, utf8 } from "../bytes";
import { decodeCommits, decodeName, decodeSessions, encodeCommits, encodeName, encodeSessions, type LeafName, memberOf } from "./credential";
import type { Committed, Envelope, GroupInfo, GroupState, KeyPackage, Member, Mls, Past } from "./port";
import { cipherSuite, SUITE } from "./suite";

const EXPORT_LABEL = "railgun e2ee 1";
const SECRET_BYTES = 32;
/** Packages that were handed in and may yet be answered by a Welcome. */
const PACKAGES_MAX = 4;
const DAY = 86_400n;
/** Of those for private use (RFC 9420, section 17.3): commits that led to the epoch of a GroupInfo. */
const COMMITS_EXTENSION = 0xf0e2;
/** The same, of a GroupContext: sessions whose commits are not applied. */
const BANNED_EXTENSION = 0xf0e3;

export interface State extends GroupState {
  readonly client: ClientState;
}

export interface Info extends GroupInfo {
  readonly info: MlsGroupInfo;
}

export interface Package extends KeyPackage {
  readonly keyPackage: MlsKeyPackage;
}

/** Who one is, and whether a leaf is whose it says it is. */
export interface Identity {
  /** For a fresh leaf of one's own. */
  credential(signatureKey: Uint8Array): Promise<Uint8Array>;
  /** Whether it is well-formed and for that very key; whom to believe is decided elsewhere. */
  binds(leaf: LeafName, signatureKey: Uint8Array): Promise<boolean>;
}

export interface Own {
  channelId: string;
  sessionId: string;
  userId: string;
  identity: Identity;
}

interface OwnPackage {
  publicPackage: MlsKeyPackage;
  privatePackage: PrivateKeyPackage;
}

export class MlsLibrary implements Mls<State, Info, Package> {
  #packages: OwnPackage[] = [];
  readonly #config: ClientConfig;

  private constructor(
    private readonly own: Own,
    private readonly suite: CiphersuiteImpl,
  ) {
    const isOfOneSession = (one: Credential, other: Credential) => {
      const [a, b] = [nameOf(one), nameOf(other)];
      return a !== null && a.sessionId === b?.sessionId;
    };
    this.#config = {
      // Nothing but handshakes is sent by MLS, so that no epoch but the newest is needed.
      keyRetentionConfig: { ...defaultKeyRetentionConfig, retainKeysForEpochs: 0 },
      lifetimeConfig: defaultLifetimeConfig,
      paddingConfig: defaultPaddingConfig,
      keyPackageEqualityConfig: {
        compareKeyPackages: (one, other) => isOfOneSession(one.leafNode.credential, other.leafNode.credential),
        compareKeyPackageToLeafNode: (one, leaf) => isOfOneSession(one.leafNode.credential, leaf.credential),
      },
      authService: {
        validateCredential: async (credential, signatureKey) => {
          const name = nameOf(credential);
          return name !== null && own.identity.binds(name, signatureKey);
        },
      },
    };
  }

  static async create(own: Own): Promise<MlsLibrary> {
    return new MlsLibrary(own, await cipherSuite());
  }

  async found(groupId: Bytes, banned: readonly string[]): Promise<State> {
    const { publicPackage, privatePackage } = await this.#fresh();
    const extensions = [{ extensionType: BANNED_EXTENSION, extensionData: encodeSessions(banned) }];
    return this.#state(await createGroup(groupId, publicPackage, privatePackage, extensions, this.suite, this.#config));
  }

  envelope(message: Bytes): Envelope | null {
    const decoded = decode(message);
    if (decoded?.wireformat === "mls_public_message") {
      const { groupId, epoch } = decoded.publicMessage.content;
      return { group: toHex(groupId), epoch: Number(epoch) };
    }
    if (decoded?.wireformat !== "mls_group_info") return null;
    const { groupId, epoch } = decoded.groupInfo.groupContext;
    return { group: toHex(groupId), epoch: Number(epoch) };
  }

  async readInfo(message: Bytes): Promise<Info> {
    const decoded = decode(message);
    if (decoded?.wireformat !== "mls_group_info") throw new Error("no GroupInfo");
    const info = decoded.groupInfo;
    const tree = ratchetTreeFromExtension(info);
    const members = membersOf(tree ?? []);
    const signer = members.find(({ leaf }) => leaf === info.signer);
    const node = tree?.[2 * info.signer];
    if (!signer || node?.nodeType !== "leaf" || info.groupContext.cipherSuite !== SUITE) throw new Error("its tree is none");
    if (!(await verifyGroupInfoSignature(info, node.leaf.signaturePublicKey, this.suite.signature))) {
      throw new Error("its signature is wrong");
    }
    const { groupId, epoch } = info.groupContext;
    const past = info.extensions.find(({ extensionType }) => extensionType === COMMITS_EXTENSION);
    const commits = past ? decodeCommits(past.extensionData) : [];
    const banned = bannedOf(info.groupContext);
    return { group: toHex(groupId), epoch: Number(epoch), members, banned, signer, tag: toHex(info.confirmationTag), commits, info };
  }

  async info({ client }: State, commits: readonly Past[]): Promise<Bytes> {
    const { groupContext, confirmationTag, ratchetTree, keySchedule } = client;
    const { publicKey } = await this.suite.hpke.deriveKeyPair(keySchedule.externalSecret);
    const past = { extensionType: COMMITS_EXTENSION, extensionData: encodeCommits(commits) };
    const extensions = [
      ...(commits.length > 0 ? [past] : []),
      { extensionType: "external_pub" as const, extensionData: withLength(await this.suite.hpke.exportPublicKey(publicKey)) },
    ];
    const groupInfo = await createGroupInfoWithRatchetTree(groupContext, confirmationTag, client, ratchetTree, extensions, this.suite);
    return encode({ version: "mls10", wireformat: "mls_group_info", groupInfo });
  }

  async joinByInfo({ info, members }: Info): Promise<{ commit: Bytes; next: State }> {
    const { publicPackage, privatePackage } = await this.#fresh();
    const isThere = members.some(({ sessionId }) => sessionId === this.own.sessionId);
    const { publicMessage, newState } = await joinGroupExternal(
      info,
      publicPackage,
      privatePackage,
      isThere,
      this.#suiteOfInfo,
      undefined,
      this.#config,
    );
    const commit = encode({ version: "mls10", wireformat: "mls_public_message", publicMessage });
    return { commit, next: this.#state(newState) };
  }

  /** The library takes the whole extension `external_pub` for the key, and would write it so (RFC 9420, 12.4.3.2). */
  get #suiteOfInfo(): CiphersuiteImpl {
    const { hpke } = this.suite;
    const importPublicKey = (data: Uint8Array) => hpke.importPublicKey(isWithLength(data) ? data.subarray(1) : data);
    return { ...this.suite, hpke: { ...hpke, importPublicKey } };
  }

  async propose(of: State | Info): Promise<Bytes> {
    const fresh = await this.#fresh();
    this.#packages = [fresh, ...this.#packages].slice(0, PACKAGES_MAX);
    // Of a GroupInfo only the context counts.
    const context = "info" in of ? of.info.groupContext : of.client.groupContext;
    const info = { groupContext: context } as MlsGroupInfo;
    return encode(await proposeAddExternal(info, fresh.publicPackage, fresh.privatePackage, this.suite));
  }

  async readProposal(message: Bytes): Promise<Package> {
    const decoded = decode(message);
    const content = decoded?.wireformat === "mls_public_message" ? decoded.publicMessage.content : null;
    if (content?.contentType !== "proposal" || content.sender.senderType !== "new_member_proposal") throw new Error("no proposal");
    const { proposal } = content;
    if (proposal.proposalType !== "add" || !("add" in proposal)) throw new Error("adds nobody");
    const { keyPackage } = proposal.add;
    const { credential, signaturePublicKey } = keyPackage.leafNode;
    const name = nameOf(credential);
    // Its place in a tree is checked when it is added.
    const holds = keyPackage.cipherSuite === SUITE && (await verifyKeyPackage(keyPackage, this.suite.signature));
    if (!name || !holds || !(await this.own.identity.binds(name, signaturePublicKey))) throw new Error("its package does not hold");
    return { sessionId: name.sessionId, key: toHex(signaturePublicKey), keyPackage };
  }

  async joinByWelcome(welcome: Bytes, { info, tag }: Info): Promise<State> {
    const decoded = decode(welcome);
    if (decoded?.wireformat !== "mls_welcome") throw new Error("no Welcome");
    const ours = await this.#packageOf(decoded.welcome.secrets.map(({ newMember }) => newMember));
    if (!ours) throw new Error("a Welcome for somebody else");
    const tree = ratchetTreeFromExtension(info);
    const { publicPackage, privatePackage } = ours;
    const joined = await joinGroup(
      decoded.welcome,
      publicPackage,
      privatePackage,
      emptyPskIndex,
      this.suite,
      tree,
      undefined,
      this.#config,
    );
    const state = this.#state(joined);
    if (state.tag !== tag) throw new Error("a Welcome to another epoch");
    return state;
  }

  async #packageOf(refs: Uint8Array[]): Promise<OwnPackage | null> {
    for (const own of this.#packages) {
      const ref = await makeKeyPackageRef(own.publicPackage, this.suite.hash);
      if (refs.some((it) => equal(it, ref))) return own;
    }
    return null;
  }

  async commit({ client }: State, { add, remove }: { add: Package[]; remove: number[] }): Promise<Committed<State>> {
    const { commit, newState, welcome } = await createCommit(
      { state: client, cipherSuite: this.suite },
      {
        wireAsPublicMessage: true,
        extraProposals: [
          ...remove.map((removed) => ({ proposalType: "remove" as const, remove: { removed } })),
          ...add.map(({ keyPackage }) => ({ proposalType: "add" as const, add: { keyPackage } })),
        ],
      },
    );
    const welcomes = await Promise.all(
      add.map(async ({ sessionId, keyPackage }) => {
        const ref = await makeKeyPackageRef(keyPackage, this.suite.hash);
        const secrets = welcome?.secrets.filter(({ newMember }) => equal(newMember, ref)) ?? [];
        if (!welcome || secrets.length === 0) throw new Error("nothing for who was added");
        // Each one's own secrets alone: together they would be too long for a message.
        return { sessionId, welcome: encode({ version: "mls10", wireformat: "mls_welcome", welcome: { ...welcome, secrets } }) };
      }),
    );
    return { commit: encode(commit), next: this.#state(newState), welcomes };
  }

  async apply(state: State, commit: Bytes, author: string): Promise<State> {
    const decoded = decode(commit);
    const message = decoded?.wireformat === "mls_public_message" ? decoded.publicMessage : null;
    if (message?.content.contentType !== "commit") throw new Error("no commit");
    const isWhole = message.content.commit.proposals.every((it) => it.proposalOrRefType === "proposal");
    // Proposals by reference may have been kept from somebody.
    if (!isWhole) throw new Error("a commit by reference");
    if (state.banned.includes(author)) throw new Error("of somebody whose commits are not applied");
    const named = ({ leaf }: { leaf: number }) => state.members.find((it) => it.leaf === leaf)?.sessionId;
    const check = (senderLeaf: number | undefined, proposals: ProposalWithSender[]) => {
      const known = proposals.every(({ proposal }) => KNOWN.has(proposal.proposalType));
      if (!known) return false;
      if (senderLeaf !== undefined) return named({ leaf: senderLeaf }) === author;
      return proposals.every(({ proposal }) => !("remove" in proposal) || named({ leaf: proposal.remove.removed }) === author);
    };
    const { newState, actionTaken } = await processPublicMessage(state.client, message, emptyPskIndex, this.suite, (it) =>
      it.kind === "commit" && check(it.senderLeafIndex, it.proposals) ? "accept" : "reject",
    );
    if (actionTaken === "reject") throw new Error("a commit that its author may not make");
    if (newState.groupActiveState.kind === "removedFromGroup") throw new Removed();
    const next = this.#state(newState);
    const isNew = ({ key }: Member) => !state.members.some((it) => it.key === key);
    const isExternal = message.content.sender.senderType === "new_member_commit";
    // Nobody joins in somebody else's name, and no session has two leaves.
    if (isExternal && !next.members.some((it) => isNew(it) && it.sessionId === author)) throw new Error("joined by another name");
    if (new Set(next.members.map(({ sessionId }) => sessionId)).size !== next.members.length) throw new Error("two leaves of one session");
    return next;
  }

  async secret({ client }: State): Promise<Bytes> {
    const { exporterSecret } = client.keySchedule;
    const secret = await mlsExporter(exporterSecret, EXPORT_LABEL, utf8(this.own.channelId), SECRET_BYTES, this.suite);
    return Uint8Array.from(secret);
  }

  async #fresh(): Promise<OwnPackage> {
    const { sessionId, userId, identity } = this.own;
    const keys = await this.suite.signature.keygen();
    const credential = encodeName({ sessionId, userId, credential: await identity.credential(keys.publicKey) });
    const now = BigInt(Math.floor(Date.now() / 1000));
    // Clocks of browsers may be wrong by a day.
    const lifetime = { notBefore: now - DAY, notAfter: now + 2n * DAY };
    return generateKeyPackageWithKey({ credentialType: "basic", identity: credential }, CAPABILITIES, lifetime, [], keys, this.suite);
  }

  #state(client: ClientState): State {
    const { groupId, epoch } = client.groupContext;
    const members = membersOf(client.ratchetTree);
    const banned = bannedOf(client.groupContext);
    return { group: toHex(groupId), epoch: Number(epoch), members, banned, tag: toHex(client.confirmationTag), client };
  }
}

/** By a commit of somebody else. */
export class Removed extends Error {
  override name = "Removed";
}

const CAPABILITIES = {
  versions: ["mls10" as const],
  ciphersuites: [SUITE] as (typeof SUITE)[],
  extensions: [BANNED_EXTENSION],
  proposals: [],
  credentials: ["basic" as const],
};
/** As RFC 9420 has it of vectors below 64 bytes. */
const withLength = (key: Uint8Array): Bytes => concat(Uint8Array.of(key.length), key);
const KEY_BYTES = 32;
const isWithLength = (data: Uint8Array): boolean => data.length === 1 + KEY_BYTES && data[0] === KEY_BYTES;

const KNOWN = new Set<string | number>(["add", "remove", "external_init"]);

function bannedOf({ extensions }: MlsGroupInfo["groupContext"]): string[] {
  const found = extensions.find(({ extensionType }) => extensionType === BANNED_EXTENSION);
  return found ? decodeSessions(found.extensionData) : [];
}

function nameOf(credential: Credential): LeafName | null {
  return credential.credentialType === "basic" ? decodeName(credential.identity) : null;
}

function membersOf(tree: ClientState["ratchetTree"]): Member[] {
  return tree.flatMap((node, index) => {
    if (node?.nodeType !== "leaf" || node.leaf.credential.credentialType !== "basic") return [];
    return memberOf(index / 2, node.leaf.credential.identity, node.leaf.signaturePublicKey) ?? [];
  });
}

function decode(message: Bytes): MLSMessage | null {
  try {
    const [decoded, length] = decodeMlsMessage(message, 0) ?? [null, 0];
    return length === message.length ? decoded : null;
  } catch {
    return null;
  }
}

const encode = (message: MLSMessage): Bytes => Uint8Array.from(encodeMlsMessage(message));
