import { describe, expect, it } from "vitest";
import { gradeWith } from "../src/quality";
import { type Arrived, arrivedOf, type Expected, MediaHealth } from "../src/runtime/health";

const track = (name: string, source: Expected["source"] = "mic", heldBack = false): Expected => ({
  trackId: `${name}-${source}`,
  sessionId: name,
  source,
  heldBack,
});
const none: Arrived = { packets: 0, frames: 0, samples: 0, concealed: 0 };

/** Looks once a second; `counts` gives what has arrived of a track by then. */
function watch(seconds: number, expected: (second: number) => Expected[], counts: (it: Expected, second: number) => Partial<Arrived>) {
  const health = new MediaHealth();
  return Array.from({ length: seconds + 1 }, (_, second) => {
    const now = expected(second);
    const arrived = new Map(now.map((it) => [it.trackId, { ...none, ...counts(it, second) }]));
    const { people, noSound } = health.look(1_000 * second, now, arrived);
    return { people: Object.fromEntries(people), noSound };
  });
}
const ada = track("Ada");
const ben = track("Ben");

describe("no sound arrives from anybody", () => {
  it("is said within 3 s of the last packet", () => {
    // The last packet came just after the look at 5 s.
    const looks = watch(10, () => [ada, ben], (_, second) => ({ packets: Math.min(second, 6) }));
    expect(looks[6]?.noSound).toBe(false);
    expect(looks[8]).toEqual({ noSound: true, people: { Ada: "noSound", Ben: "noSound" } });
    expect(gradeWith("excellent", { noSound: true, people: new Map() })).toBe("poor");
  });

  it("is not said while one of them is heard; the other's tile says it", () => {
    const looks = watch(10, () => [ada, ben], ({ sessionId }, second) => ({ packets: sessionId === "Ada" ? 2 * second : 0 }));
    expect(looks.at(-1)).toEqual({ noSound: false, people: { Ben: "noSound" } });
    expect(gradeWith("excellent", { noSound: false, people: new Map([["Ben", "noSound"]]) })).toBe("fair");
  });

  it("is never said in thirty quiet minutes, in which everybody is silent, muted, or neither", () => {
    // Silence is two packets a second (Opus DTX), and now and then nothing for more than one; who is muted is not
    // expected, and comes back every minute.
    const isMuted = (second: number) => second % 60 > 20;
    const looks = watch(
      1_800,
      (second) => (isMuted(second) ? [] : [ada, ben]),
      (_, second) => ({ packets: 2 * (second - (second % 2)) }),
    );
    expect(looks.filter(({ noSound, people }) => noSound || Object.keys(people).length > 0)).toEqual([]);
  });

  it("counts from the unmute on, not from the last packet before the mute", () => {
    const looks = watch(13, (second) => (second > 2 && second < 12 ? [] : [ada]), () => ({ packets: 7 }));
    expect(looks[12]?.noSound).toBe(false);
  });

  it("is not said because the page slept", () => {
    const health = new MediaHealth();
    const arrived = new Map([[ada.trackId, { ...none, packets: 5 }]]);
    health.look(0, [ada], arrived);
    expect(health.look(60_000, [ada], arrived).noSound).toBe(false);
    health.look(61_000, [ada], arrived);
    expect(health.look(62_000, [ada], arrived).noSound).toBe(true);
  });
});

it("a browser that does not say which track it counts gives no figures, rather than none that arrived", () => {
  expect(arrivedOf([{ type: "inbound-rtp", packetsReceived: 5 }])).toBeNull();
  expect(arrivedOf([{ type: "transport" }])).toEqual(new Map());
});

describe("a tile says its own trouble", () => {
  it("a camera whose picture stands still for 4 s, and a screen never", () => {
    const looks = watch(8, () => [track("Ada", "camera"), track("Ben", "screen")], (_, second) => ({ packets: 50 * second, frames: Math.min(second, 2) * 25 }));
    expect(looks[5]?.people).toEqual({});
    expect(looks[6]?.people).toEqual({ Ada: "videoStalled" });
  });

  it("a video that the server holds back is our network's trouble, and none of the call's grade", () => {
    const looks = watch(8, () => [track("Ada", "camera", true)], () => ({}));
    expect(looks.at(-1)?.people).toEqual({ Ada: "videoHeldBack" });
    expect(gradeWith("good", { noSound: false, people: new Map([["Ada", "videoHeldBack"]]) })).toBe("good");
  });

  it("sound of which more than a tenth was made up; silence that was made up is none", () => {
    const report = (concealed: number, silent: number) =>
      arrivedOf([
        { type: "inbound-rtp", trackIdentifier: ada.trackId, packetsReceived: concealed, totalSamplesReceived: 10 * concealed, concealedSamples: 2 * concealed, silentConcealedSamples: silent },
      ]);
    const counted = (concealed: number, silent: number) => report(concealed, silent) ?? new Map();
    const health = new MediaHealth();
    health.look(0, [ada], counted(0, 0));
    expect(health.look(1_000, [ada], counted(100, 0)).people.get("Ada")).toBe("choppySound");
    expect(health.look(2_000, [ada], counted(200, 190)).people.get("Ada")).toBeUndefined();
  });
});
