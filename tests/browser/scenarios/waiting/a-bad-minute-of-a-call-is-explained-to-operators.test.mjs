import { scenario } from "../../lib/call.mjs";
import { FAULTS } from "../../lib/faults.mjs";
import { impairedWayTo } from "../../lib/impair.mjs";
import { callOfTwo } from "../../lib/page.mjs";
import { standalone } from "../../lib/server.mjs";
import { until } from "../../lib/wait.mjs";

/** The rest of a minute whose first half was sound, the whole next one, and the time to write it. */
const TOLD_MS = 115_000;
const WANTED = ["device microphone Ben", "receiverDownlink loss Ben"];

scenario(
  "a bad minute of a call in pages is explained to operators",
  async (call) => {
    const way = await impairedWayTo(call.server);
    try {
      const [ada, ben] = await callOfTwo(call, { ben: { ports: way.ports }, signed: true });
      await ada.hears(ben);
      // Until then it says nothing: a microphone that was never heard, or a link without packets.
      await ben.hears(ada);
      await FAULTS.deadMicrophone.begin({ user: ben });
      await FAULTS.lossyDownlink.begin({ way }, () => 0.5);
      let told = [];
      await until(
        () => `${WANTED}; it is told: ${JSON.stringify(told)}`,
        TOLD_MS,
        async () => {
          told = await findings(call.server);
          return told.some((minute) => String(minute) === String(WANTED)) ? true : null;
        },
      );
    } finally {
      way.close();
    }
  },
  { start: () => standalone({ calls: true }), ms: 150_000 },
);

/** Of each minute: side, cause and whose. */
async function findings(server) {
  const { calls } = await server.read("calls?channel=lobby");
  if (calls.length === 0) return [];
  const { participants, minutes } = await server.read(`calls/${calls[0].call}`);
  const whose = (id) => participants.find(({ participant }) => participant === id)?.userId;
  return minutes.map((minute) => minute.findings.map((it) => `${it.side} ${it.cause} ${whose(it.participant)}`).sort());
}
