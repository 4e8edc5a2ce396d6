/**
 * Section 6 of the signaling contract, "Client state machine", with the tables of the specification that it
 * corrects, in our words. It is written down here by hand and from there alone: neither the code nor
 * `docs/state-machine.md` may be its source.
 */

/** Seconds an operation may take. */
export const SECONDS = {
  "join a channel": 10,
  "fetch the router's capabilities": 5,
  "create a transport": 5,
  "connect a transport: ICE and DTLS": 10,
  "create a producer": 5,
  "get a lost socket back, all tries together": 35,
} as const;

/** Seconds to wait before each further try. None: the user is told at once. */
export const WAITS = {
  "a join": [1, 2, 4],
  "the creation of a transport": [1, 1],
  "DTLS that failed, each time with a new transport": [1, 1],
  "the creation of a producer": [],
  "a lost socket": [1, 2, 4, 8, 16],
} as const;

/** A state, what happens in it, and the state after that. `producing` is any of the three. */
export const STEPS: readonly (readonly [from: string, what: string, to: string])[] = [
  ["DISCONNECTED", "the user joins", "JOINING"],
  ["JOINING", "voice:joined comes", "FETCHING_RTP_CAPS"],
  ["JOINING", "the join fails or is not answered", "DISCONNECTED"],
  ["FETCHING_RTP_CAPS", "the capabilities come", "CREATING_TRANSPORTS"],
  ["FETCHING_RTP_CAPS", "they do not", "DISCONNECTED"],
  // Corrected: they connect inside the first produce or consume.
  ["CREATING_TRANSPORTS", "both transports exist", "READY"],
  ["CREATING_TRANSPORTS", "they do not", "DISCONNECTED"],
  ["READY", "a microphone is produced", "PRODUCING_AUDIO"],
  ["PRODUCING_AUDIO", "it is closed", "READY"],
  ["PRODUCING_AUDIO", "a camera is produced", "PRODUCING_AUDIO_VIDEO"],
  ["PRODUCING_AUDIO_VIDEO", "it is closed", "PRODUCING_AUDIO"],
  ["PRODUCING_AUDIO_VIDEO", "a screen is produced", "PRODUCING_AUDIO_VIDEO_SCREEN"],
  ["PRODUCING_AUDIO_VIDEO_SCREEN", "it is closed", "PRODUCING_AUDIO_VIDEO"],
  // Added by the contract.
  ["READY", "the socket is lost", "RESUMING"],
  ["producing", "the socket is lost", "RESUMING"],
  ["RESUMING", "voice:resumed comes, and nothing is sent", "READY"],
  ["RESUMING", "voice:resumed comes, and a microphone is sent", "PRODUCING_AUDIO"],
  ["RESUMING", "RESUME_FAILED comes", "JOINING"],
  ["RESUMING", "the last try fails", "DISCONNECTED"],
  ["READY", "voice:rejoin comes", "REJOINING"],
  ["producing", "voice:rejoin comes", "REJOINING"],
  ["REJOINING", "its delay is over", "JOINING"],
  ["any", "the user leaves", "LEAVING"],
  ["any", "a fatal refusal comes", "DISCONNECTED"],
  ["LEAVING", "everything is cleaned up", "DISCONNECTED"],
];
