/** What members wait for one another, in milliseconds, and how much they keep of each other. */
/** How long each waits for the one before him in the order of who acts. */
export const STEP = 400;
/** Somebody who came waits so long for others to let him in before he founds a group. */
export const FOUND_AFTER = 700;
/** How long packages of several people are collected before they are added together. */
export const COLLECT = 150;
/** Until somebody who handed in a package helps himself. */
export const WELCOME_WAIT = 600;
/** A message may be late by this before something is done about it. */
export const LATE = 250;
/** Between two GroupInfos to one session, or two packages, of the same epoch. */
export const AGAIN = 600;
export const ANSWER_INTERVAL = 400;
/** A member that asked to be added, and does not ask again within this, has found its way: it would every `AGAIN`. */
export const LOST_FOR = 2 * AGAIN;
/** More than this are told at once. */
export const BROADCAST_FROM = 3;
/** Until a group whose next epoch nobody knows is given up. */
export const BEHIND_MAX = 700;
export const EARLY_MAX = 16;
export const PACKAGES_MAX = 64;
export const BANNED_MAX = 32;
/** So many groups may have been founded that one has not heard of. */
export const GENERATIONS_AHEAD = 2 ** 20;
/** Of the commits that lead to an epoch, in all. */
export const PAST_BYTES = 6_000;
export const PAST_MAX = 8;
