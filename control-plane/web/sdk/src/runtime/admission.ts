/** Whether a call is encrypted from end to end, and whether it may be entered as the server offers it. */
import type { Encryption, EncryptionPolicy } from "../e2ee/encryption";
import type { VoiceError } from "../errors";
import type { E2eeMessage } from "../generated";
import type { Joined } from "../payloads";
import type { EncryptionOptions } from "../types";
import type { Emit } from "./emit";
import { encryptionSupport, hasSeenEncrypted } from "./encryption-support";

export interface AdmissionHandlers {
  emit: Emit;
  changed(): void;
  /** To the members of the channel's group, and to its delivery service, the room. */
  send(message: E2eeMessage): Promise<unknown>;
  /** Nothing can be encrypted any more. */
  failed(error: VoiceError): void;
}

export class Admission {
  /** Of a call that is encrypted from end to end. */
  encryption: Encryption | null = null;
  #policy: Promise<EncryptionPolicy> | null = null;
  #options: EncryptionOptions | undefined;
  #channelId = "";

  constructor(private readonly handlers: AdmissionHandlers) {}

  /** Before a join. */
  prepare(channelId: string, options: EncryptionOptions | undefined): void {
    this.#options = options;
    this.#channelId = channelId;
    const isDemanded = options === "required" || options?.invite !== undefined;
    this.#policy = isDemanded || hasSeenEncrypted() ? this.#loadPolicy() : null;
  }

  /** What a join says of encryption. Fails with `CAPABILITY_REQUIRED` where it has to be and cannot. */
  async offer(): Promise<ReturnType<typeof encryptionSupport>> {
    (await this.#policy)?.check();
    return encryptionSupport();
  }

  async #loadPolicy(): Promise<EncryptionPolicy> {
    const { EncryptionPolicy } = await import("../e2ee/encryption");
    return new EncryptionPolicy(this.#channelId, this.#options);
  }

  /** What is encrypted from end to end, and never less than the policy asks for. */
  async admit(answer: Joined["encryption"] | undefined): Promise<Encryption | null> {
    // Nobody asked for it, and this profile never had it.
    if (answer !== "endToEnd" && !this.#policy) return null;
    const policy = await (this.#policy ??= this.#loadPolicy());
    if (!policy.decide(answer)) {
      this.encryption?.close();
      return (this.encryption = null);
    }
    const encryption = this.encryption ?? (await this.#encrypt());
    // It was left meanwhile; the connection sees that too.
    if (!this.#policy) encryption.close();
    else this.encryption = encryption;
    return encryption;
  }

  async #encrypt(): Promise<Encryption> {
    const { Encryption } = await import("../e2ee/encryption");
    const { emit } = this.handlers;
    return Encryption.start(this.#channelId, this.#options, {
      ...this.handlers,
      inviteNeeded: (event) => emit("inviteNeeded", event),
      inviteCreated: (event) => emit("inviteCreated", event),
    });
  }

  /** The call is over. */
  close(): void {
    this.encryption?.close();
    this.encryption = this.#policy = null;
  }
}
