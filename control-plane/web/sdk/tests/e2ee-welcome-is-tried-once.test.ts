/** A Welcome that is none for this client would cost an operation of MLS at each step. */
import { expect, it } from "vitest";
import { utf8 } from "../src/e2ee/bytes";
import { Entrance } from "../src/e2ee/mls/entrance";
import type { GroupInfo, Member } from "../src/e2ee/mls/port";

const signer: Member = { leaf: 0, sessionId: "s1", userId: "u1", key: "1", credential: utf8("") };

const infoOf = (tag: string): GroupInfo => ({ group: "00000001010000000000000000000000", epoch: 3, members: [signer], tag, banned: [], signer, commits: [] });

it("with each GroupInfo that may have its tree", () => {
  const entrance = new Entrance<GroupInfo>();
  const tried = () => [...entrance.welcomes(null)].map(({ info }) => info.tag);
  entrance.keepWelcome({ sessionId: "s1", kind: "welcome", epoch: 3, data: utf8("welcome") });
  entrance.keep(infoOf("a"), 0);
  expect([tried(), tried()]).toEqual([["a"], []]);
  entrance.keep(infoOf("b"), 0);
  expect([tried(), tried()]).toEqual([["b"], []]);
});
