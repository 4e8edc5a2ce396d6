import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { scenario } from "../lib/call.mjs";
import { allRecogniseEachOther } from "../lib/person.mjs";
import { sleep } from "../lib/wait.mjs";

const DATAGRAMS = 4_000;
/** First bytes that RFC 7983 gives to STUN, DTLS, RTP and RTCP, and some that it gives to nobody. */
const FIRST_BYTES = [0, 1, 3, 20, 22, 23, 63, 64, 79, 128, 129, 144, 191, 192, 255];
const SIZES = [0, 1, 2, 4, 8, 12, 13, 19, 20, 21, 28, 40, 100, 300, 1200, 1472, 9000];

/** How well streams come through and who is heard, told in every call when it changes. */
const QUALITY = [
  "voice:consumerLayers",
  "voice:consumerScore",
  "voice:producerScore",
  "voice:producerLayers",
  "voice:audioLevels",
  "voice:activeSpeaker",
];

scenario("garbage on the media port changes nothing", async (call) => {
  const people = await call.invite(3);
  await allRecogniseEachOther(people);

  const since = Date.now();
  const ports = new Set(people.flatMap(({ joined }) => joined.media.map(({ port }) => port)));
  for (const port of ports) await sendGarbage(port);
  await allRecogniseEachOther(people);

  for (const person of people) {
    const events = await person.eventsSince(since);
    const others = events.filter((event) => !QUALITY.includes(event.name) && !isNomination(event));
    assert.deepEqual(others, [], `what ${person.userId} was told meanwhile`);
    assert.equal((await person.describe()).received.length, 4);
  }
});

/** The browser may settle on its path a moment after media began. */
function isNomination({ name, payload }) {
  return name === "voice:rtc:transportState" && payload.ice === "completed" && payload.dtls === "connected";
}

async function sendGarbage(port) {
  const random = generator(port);
  const socket = createSocket("udp4");
  try {
    for (let sent = 0; sent < DATAGRAMS; sent += 1) {
      const datagram = Buffer.alloc(SIZES[random() % SIZES.length]);
      for (let i = 0; i < datagram.length; i += 1) datagram[i] = random() & 0xff;
      if (datagram.length > 0) datagram[0] = FIRST_BYTES[random() % FIRST_BYTES.length];
      // Half of what looks like STUN carries the magic cookie, so that it is read further.
      if (datagram.length >= 8 && sent % 2 === 0) datagram.writeUInt32BE(0x2112a442, 4);
      await new Promise((resolve, reject) =>
        socket.send(datagram, port, "127.0.0.1", (error) => (error ? reject(error) : resolve())),
      );
      if (sent % 200 === 0) await sleep(5);
    }
  } finally {
    socket.close();
  }
}

/** Numbers that look random and are the same in every run. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 8;
  };
}
