/** Who acts before whom, who waits to be let in, and which of two groups is gone on with. */
import { bytesOf, compare, type GroupRank, rankOf } from "./group-id";
import type { ListedPeople } from "./people";
import type { GroupState } from "./port";

interface Placed {
  group: string;
  epoch: number;
}

export const rank = ({ group }: { group: string }): GroupRank => rankOf(bytesOf(group)) ?? { generation: 0, place: 0 };

const ranked = (it: Placed) => ({ ...it, rank: rank(it) });

/** Above 0: the one is gone on with, rather than the other. */
export const order = (one: Placed, other: Placed | null): number => compare(ranked(one), other && ranked(other));

export const isBetter = (one: Placed, other: Placed | null): boolean => order(one, other) > 0;

/** How many members act before one does; Infinity: nobody applies one's commits. */
export function placeOf({ members, banned }: GroupState, people: ListedPeople, named: ReadonlySet<string>): number {
  if (banned.includes(people.own)) return Infinity;
  const mayAct = (it: string) => people.isAlive(it) && !named.has(it) && !banned.includes(it);
  const before = members.findIndex(({ sessionId }) => sessionId === people.own);
  return members.slice(0, before).filter(({ sessionId }) => mayAct(sessionId)).length;
}

/** Not in the group, and there to be let in. */
export function waitingFor({ members }: GroupState, people: ListedPeople): string[] {
  const isIn = (it: string) => members.some(({ sessionId }) => sessionId === it);
  return people.all.map(({ sessionId }) => sessionId).filter((it) => people.isAlive(it) && !people.isShunned(it) && !isIn(it));
}
