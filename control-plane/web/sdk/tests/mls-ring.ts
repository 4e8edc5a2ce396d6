import { toHex } from "../src/e2ee/bytes";
import { ACCEPTED_AFTER_ADDITION, ACCEPTED_AFTER_REMOVAL, OWN_DELAY } from "../src/e2ee/key-ring";
import type { Output } from "../src/e2ee/mls/exchange";

/** Epochs as `KeyRing` keeps them, without keys. */
export class Ring {
  epochs: { number: number; secret: string; sessions: Set<string>; sendsFrom: number; stopsAt: number; erasesAt: number }[] = [];

  install({ number, secret, members, removal, own, held }: Extract<Output, { type: "epoch" }>, now: number): void {
    this.sweep(now);
    const known = this.epochs.find((it) => it.number === number && it.secret === toHex(secret));
    if (known) {
      if (!held) known.sendsFrom = Math.min(known.sendsFrom, now);
      return;
    }
    const isUsed = this.epochs.some((it) => it.number < number && it.sendsFrom <= now && now < it.stopsAt);
    const lastUse = Math.max(...this.epochs.map(({ stopsAt }) => stopsAt));
    const end = now + (removal ? ACCEPTED_AFTER_REMOVAL : ACCEPTED_AFTER_ADDITION);
    for (const it of this.epochs) if (it.number < number) it.erasesAt = Math.min(it.erasesAt, end);
    const sendsFrom = held ? Infinity : own && isUsed ? Math.min(now + OWN_DELAY, lastUse) : now;
    const sessions = new Set(members.map(({ sessionId }) => sessionId));
    this.epochs.push({ number, secret: toHex(secret), sessions, sendsFrom, stopsAt: Infinity, erasesAt: Infinity });
    this.epochs.sort((a, b) => b.number - a.number);
  }

  left(now: number): void {
    for (const it of this.epochs) it.stopsAt = Math.min(it.stopsAt, now + ACCEPTED_AFTER_REMOVAL);
  }

  sweep(now: number): void {
    this.epochs = this.epochs.filter(({ erasesAt }) => erasesAt > now);
  }

  sending(now: number): string | null {
    return this.sendingTo(now)?.secret ?? null;
  }

  sendingTo(now: number): { secret: string; sessions: Set<string> } | null {
    this.sweep(now);
    return this.epochs.find((it) => it.sendsFrom <= now && now < it.stopsAt) ?? null;
  }

  opens(secret: string, from: string, now: number): boolean {
    this.sweep(now);
    return this.epochs.some((it) => it.secret === secret && it.sessions.has(from));
  }
}
