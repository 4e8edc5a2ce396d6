/** Names for payloads of the signaling contract, whose shapes are written from the servers' types. */
import type { Requests, ServerEvents } from "./generated";

export type {
  ChannelPerson,
  ErrorCode,
  NetworkType,
  ParticipantInfo,
  Permissions,
  ProducerInfo,
  Requests,
  RoomLimits,
  RtcConfig,
  ServerEvents,
  Source,
  StatsReport,
  UserId,
  VideoSource,
} from "./generated";

/** A join's acknowledgement. */
export type Joined = ServerEvents["voice:joined"];

/** The state of a session that came back on a new socket, its media untouched. */
export type Resumed = ServerEvents["voice:resumed"];

/** What a join and a resume tell alike. */
export type RoomState = Pick<
  Joined & Resumed,
  "channelId" | "sessionId" | "participants" | "permissions" | "limits" | "roomSeq"
> & { resumeToken?: string };

/** A place in the queue for a video slot. */
export type QueuePlace = ServerEvents["voice:video:queue"];

/** A video slot held, or a place in the queue for one. */
export type SlotReply = ServerEvents["voice:video:slot"];

export type PermissionChange = ServerEvents["voice:permissions"];

/** Why a request was refused: what a server writes, or the SDK itself in its name. */
export type Refusal = Pick<ServerEvents["voice:error"], "code" | "error"> &
  Partial<ServerEvents["voice:error"]>;

/** What a request is answered with. */
export type Reply<Name extends keyof Requests> = Requests[Name]["reply"];
