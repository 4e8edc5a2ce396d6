import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { cluster } from "../lib/cluster.mjs";
import { callOfTwo, CONNECT_MS } from "../lib/page.mjs";

const CHANNEL = "lobby";
/** Who is told to join again does so within 1.5 s, and joining takes a moment. */
const BACK_MS = 15_000;

scenario(
  "a call goes on at another node when its own is killed",
  async (call) => {
    const [ada, ben] = await callOfTwo(call, { channel: CHANNEL, camera: true, signed: true });
    await ada.hears(ben);
    const first = await call.server.nodeOf(CHANNEL);
    assert.ok(first, "the room is somewhere");

    await call.server.killNode(first);
    const killed = Date.now();
    await ada.page.getByText(/moves to another server|Joining again/).waitFor();
    console.log(`said ${Date.now() - killed} ms after the node was killed`);
    for (const person of [ada, ben]) await person.sees(2, BACK_MS);
    await ada.hears(ben, CONNECT_MS);
    await ben.hears(ada, CONNECT_MS);
    console.log(`heard again ${Date.now() - killed} ms after it`);
    // Whatever was on is on again, and nobody pressed anything.
    await ada.playsVideos(1);
    assert.equal(await ben.button("Mute", { exact: true }).count(), 1, "the microphone is on as before");
    const second = await call.server.nodeOf(CHANNEL);
    assert.ok(second && second !== first, `the room was at ${first} and is at ${second}`);
  },
  { start: cluster },
);
