/** What a group's id says: which of two groups is gone on with, and where its epochs stand among those of others. */
import { type Bytes, concat } from "../bytes";

const GENERATIONS = 2 ** 13;
const TIES = 2 ** 7;
const EPOCHS = 2 ** 12;
const RANDOM_BYTES = 13;
const ID_BYTES = 3 + RANDOM_BYTES;

/** A group whose epoch is this is followed by a new one. */
export const LAST_EPOCH = EPOCHS - 96;
export const LAST_GENERATION = GENERATIONS - 1;

/** Of a group. `place`: of two groups, the one with the higher is gone on with. */
export interface GroupRank {
  generation: number;
  place: number;
}

/** 2 bytes of generation, 1 of chance that decides between two of one generation, 13 random ones. */
export function freshGroupId(generation: number): Bytes {
  const random = crypto.getRandomValues(new Uint8Array(1 + RANDOM_BYTES));
  return concat(Uint8Array.of(generation >> 8, generation, (random[0] ?? 0) % TIES), random.subarray(1));
}

/** Null: no client of this version made it. */
export function rankOf(id: Uint8Array): GroupRank | null {
  const [high = 0, low = 0, tie = 0] = id;
  const generation = high * 256 + low;
  if (id.length !== ID_BYTES || generation === 0 || generation > LAST_GENERATION || tie >= TIES) return null;
  return { generation, place: generation * TIES + tie };
}

/** The number of an epoch in the frames' key schedule: it rises with each epoch, and from group to group. */
export const epochNumber = ({ place }: GroupRank, epoch: number): number => place * EPOCHS + epoch + 1;
