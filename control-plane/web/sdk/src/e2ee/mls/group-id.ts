/** What a group's id says: which of two groups is gone on with, and where its epochs stand among those of others. */
import { type Bytes, concat, u32 } from "../bytes";

const TIES = 2 ** 7;
const EPOCHS = 2 ** 12;
const RANDOM_BYTES = 11;
const ID_BYTES = 5 + RANDOM_BYTES;

/** A group whose epoch is this is followed by a new one. */
export const LAST_EPOCH = EPOCHS - 96;
export const LAST_GENERATION = 2 ** 32 - 1;

/** Of a group. `place`: of two groups, the one with the higher is gone on with. */
export interface GroupRank {
  generation: number;
  place: number;
}

/** 4 bytes of generation, 1 of chance that decides between two of one generation, 11 random ones. */
export function freshGroupId(generation: number): Bytes {
  const random = crypto.getRandomValues(new Uint8Array(1 + RANDOM_BYTES));
  return concat(u32(generation), Uint8Array.of((random[0] ?? 0) % TIES), random.subarray(1));
}

/** Null: no client of this version made it. */
export function rankOf(id: Uint8Array): GroupRank | null {
  if (id.length !== ID_BYTES) return null;
  const generation = new DataView(id.buffer, id.byteOffset).getUint32(0);
  const tie = id[4] ?? TIES;
  return generation === 0 || tie >= TIES ? null : { generation, place: generation * TIES + tie };
}

/** The number of an epoch in the frames' key schedule, below 2^51: it rises with each epoch, and from group to group. */
export const epochNumber = ({ place }: GroupRank, epoch: number): number => place * EPOCHS + epoch + 1;

interface Placed {
  group: string;
  epoch: number;
  rank: GroupRank;
}

/** Above 0: the one is gone on with, rather than the other. */
export function compare(one: Placed, other: Placed | null): number {
  if (!other) return 1;
  if (one.group === other.group) return one.epoch - other.epoch;
  return one.rank.place - other.rank.place || (one.group < other.group ? -1 : 1);
}

export const bytesOf = (hex: string): Uint8Array => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
