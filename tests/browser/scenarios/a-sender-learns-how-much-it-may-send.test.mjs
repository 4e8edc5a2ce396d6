import { scenario } from "../lib/call.mjs";
import { allRecogniseEachOther } from "../lib/person.mjs";
import { until } from "../lib/wait.mjs";

/** Twice what Chromium starts with; without feedback about its packets it goes down from there. */
const BITS_PER_SECOND_MIN = 600_000;
const LEARN_MS = 15_000;

scenario("a sender learns from the server's feedback how much it may send", async (call) => {
  const [ada, ben] = await call.invite(2);
  await allRecogniseEachOther([ada, ben]);
  for (const person of [ada, ben]) {
    let estimate;
    await until(
      () => `${person.userId} may send ${BITS_PER_SECOND_MIN} bit/s; the estimate is ${estimate}`,
      LEARN_MS,
      async () => {
        estimate = await person.ask(outgoingBitrate);
        return estimate >= BITS_PER_SECOND_MIN ? estimate : null;
      },
    );
  }
});

/** Chromium's estimate for the connection that it sends over, in bits per second. */
async function outgoingBitrate(client) {
  const stats = [...(await client.send.getStats()).values()];
  return (
    stats.find(({ type, nominated }) => type === "candidate-pair" && nominated)?.availableOutgoingBitrate ?? 0
  );
}
