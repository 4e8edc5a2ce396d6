/**
 * L4S of a sender in Chromium, by its field trials and an unmodified mediasoup-client: it sends ECT(1), a link marks what waits as
 * CE, and the node tells the sender so, of a camera that came after the microphone as well.
 */
import assert from "node:assert/strict";
import { CCFB_TRIAL, SCREAM_TRIAL } from "../../lib/browser.mjs";
import { scenario } from "../../lib/call.mjs";
import { MarkingLink } from "../../lib/marking-link.mjs";
import { CAST, Person } from "../../lib/person.mjs";
import { standalone } from "../../lib/server.mjs";
import { until } from "../../lib/wait.mjs";

const [sender, viewer] = CAST;
const MARKS_MIN = 50;
/** The rate is found out, and more than the link takes is marked, on a machine that encodes and decodes all of it. */
const MARKED_WITHIN_MS = 30_000;

/** Of the camera that `ada` sends: what she says of it, and what the node told her of it. */
async function camera(ada) {
  const stats = await ada.do("transportStats", "send");
  const of = (type) => stats.find((it) => it.type === type && it.kind === "video") ?? {};
  const { ccfbMessagesReceived = 0 } = stats.find(({ type }) => type === "transport");
  return { ccfbMessagesReceived, sent: of("outbound-rtp"), told: of("remote-inbound-rtp") };
}

scenario(
  "a sender is told by RFC 8888 with which ECN marks its packets came",
  async (call) => {
    const ben = await Person.join(call, viewer, { sends: [] });
    const link = await MarkingLink.to(call.server, { narrow: "up", rate: 1_000_000, mark: 5 });
    const ada = await Person.join(call, sender, { sends: ["mic"], ports: link.ports });
    await ada.do("publishColour", ada.colour, { encodings: [{ maxBitrate: 2_400_000 }], grain: 640 });
    let last;
    const isTold = async () => {
      last = await camera(ada);
      return last.told.packetsReceivedWithCe >= MARKS_MIN ? true : null;
    };
    await until(() => JSON.stringify(last), MARKED_WITHIN_MS, isTold);
    const { ccfbMessagesReceived, sent, told } = last;
    assert.ok(ccfbMessagesReceived > 50, JSON.stringify(last));
    assert.equal(sent.packetsSentWithEct1, sent.packetsSent, "each packet went out as ECT(1)");
    assert.equal(told.packetsWithBleachedEct1Marking ?? 0, 0, "and none came without a mark");
    const frames = await ben.do("frames", ada.userId, Date.now() - 3_000);
    assert.ok(frames.length > 10, `${frames.length} pictures`);
    const seen = await link.close();
    assert.ok(told.packetsReceivedWithCe <= seen.marked, `${told.packetsReceivedWithCe} of ${seen.marked} marks`);
    assert.ok(seen.ecn["up RTP 01"] > 500 && !seen.ecn["up RTP 00"], JSON.stringify(seen.ecn));
  },
  {
    start: () => standalone({ settings: { RAILGUN_RTC_CCFB: "true", RAILGUN_RTC_L4S: "true" } }),
    browser: { trial: CCFB_TRIAL + SCREAM_TRIAL },
  },
);
