import type { VoiceEvents } from "../types";

/** How the parts of a call tell the application something. */
export type Emit = <Name extends keyof VoiceEvents>(name: Name, event: VoiceEvents[Name]) => void;
