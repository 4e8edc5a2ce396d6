import { describe, expect, it } from "vitest";
import { share } from "../src/runtime/share";

class Track {
  kind = "video";
}

describe("a snapshot is one object until something changes", () => {
  const snapshot = (name: string, track: object | null = null) => ({
    muted: false,
    participants: [
      { name, camera: track },
      { name: "Ben", camera: null },
    ],
  });

  it("gives the one before when all is equal", () => {
    const before = snapshot("Ada");
    expect(share(before, snapshot("Ada"))).toBe(before);
  });

  it("gives a new one with the parts that stayed", () => {
    const before = snapshot("Ada");
    const after = share(before, snapshot("Adah"));
    expect(after).not.toBe(before);
    expect(after.participants[0]).toEqual({ name: "Adah", camera: null });
    expect(after.participants[1]).toBe(before.participants[1]);
  });

  it("knows tracks by identity, and lists by their length", () => {
    const track = new Track();
    const before = snapshot("Ada", track);
    expect(share(before, snapshot("Ada", track))).toBe(before);
    expect(share(before, snapshot("Ada", new Track()))).not.toBe(before);
    const fewer = { ...before, participants: before.participants.slice(0, 1) };
    expect(share(before, fewer).participants).toHaveLength(1);
  });
});
