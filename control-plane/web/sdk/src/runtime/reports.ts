/** What the server is told without anybody waiting for its answer. */
import { VoiceError } from "../errors";
import type { Requests } from "../payloads";
import type { Emit } from "./emit";
import type { Request } from "./signaling";

export class Reports {
  constructor(
    private readonly request: Request,
    private readonly emit: Emit,
  ) {}

  send<Name extends keyof Requests>(name: Name, payload: Requests[Name]["payload"]): void {
    this.request(name, payload).catch((error: unknown) => this.refused(name, error));
  }

  /** A refusal would be lost otherwise. */
  refused(event: string, thrown: unknown): void {
    const error = VoiceError.from(thrown);
    if (!error.isTemporary && error.code !== "CANCELLED") this.emit("requestRefused", { event, error });
  }
}
