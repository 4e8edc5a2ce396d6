/** People of the load generator, who talk in turns and send recorded faces. */
import { Program } from "./process.mjs";
import { binary } from "./server.mjs";

/** Joins them until the program is stopped, or the call ends. `mls`: they agree on keys of an encrypted channel by mls-rs. */
export function invitePeople(call, participants, { video, channel = "lobby", mls = false }) {
  const { url, secret } = call.server;
  const options = { url, "dev-secret": secret, channel, participants, video, talking: 1, seconds: 1 };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const program = new Program("load", binary("railgun-bench"), ["load", ...args, ...(mls ? ["--mls"] : []), "--turns", "--linger"]);
  call.server.programs.push(program);
  return program;
}
