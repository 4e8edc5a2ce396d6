/** Milliseconds between two readings of the levels. */
export const FEEDBACK_READING_MS = 50;
const READINGS = 60;
/** A verdict every half second. */
const READINGS_PER_VERDICT = 10;
/** Sound comes back within half a second. */
const LAG_MAX = 10;
const ALIKE = 0.9;
/** One recording, compared once, has to be less alike than what is watched for minutes. */
const ALIKE_ONCE = 0.75;
/** Echo signatures in a row that make it feedback. */
const IN_A_ROW = 3;
/** Quieter than this nothing is being played. */
const PLAYED_DB = -50;
/** A level that stands still says nothing. */
const SPREAD_MIN_DB = 4;

/**
 * Notices that the microphone hears what the speakers play: its level then goes up and down as theirs does,
 * a little later. A sound that repeats itself is like everything else that repeats, and proves nothing.
 */
export class FeedbackDetector {
  #microphone: number[] = [];
  #played: number[] = [];
  #sinceVerdict = 0;
  #inARow = 0;

  /** One reading of both levels in dBFS; true when three signatures in a row have just been seen. */
  read(microphoneDb: number, playedDb: number): boolean {
    this.#microphone.push(Math.max(microphoneDb, -70));
    this.#played.push(Math.max(playedDb, -70));
    if (this.#microphone.length > READINGS) {
      this.#microphone.shift();
      this.#played.shift();
    }
    this.#sinceVerdict += 1;
    if (this.#sinceVerdict < READINGS_PER_VERDICT || this.#microphone.length < READINGS) return false;
    this.#sinceVerdict = 0;
    this.#inARow = this.#isEcho() ? this.#inARow + 1 : 0;
    if (this.#inARow < IN_A_ROW) return false;
    this.#inARow = 0;
    return true;
  }

  #isEcho(): boolean {
    const played = this.#played;
    if (Math.max(...played) < PLAYED_DB || spread(played) < SPREAD_MIN_DB) return false;
    for (let lag = LAG_MAX / 2; lag <= READINGS / 2; lag += 1) {
      if (alike(played, played, lag) > ALIKE - 0.1) return false;
    }
    for (let lag = 0; lag <= LAG_MAX; lag += 1) {
      if (alike(played, this.#microphone, lag) > ALIKE) return true;
    }
    return false;
  }
}

/** Of one recording that was played: whether the microphone heard it. Both as levels in dBFS, 50 ms apart. */
export function hearsItself(played: number[], heard: number[]): boolean {
  const length = Math.min(played.length, heard.length);
  if (length < READINGS / 2 || Math.max(...heard) < PLAYED_DB) return false;
  const [sound, microphone] = [played, heard].map((levels) =>
    levels.slice(0, length).map((level) => Math.max(level, -70)),
  ) as [number[], number[]];
  // Playing starts a moment after it is asked for.
  for (let lag = 0; lag <= LAG_MAX; lag += 1) {
    if (alike(sound, microphone, lag) > ALIKE_ONCE) return true;
  }
  return false;
}

/** Correlation of `first` with `second` read `lag` later, -1 to 1. */
function alike(first: number[], second: number[], lag: number): number {
  const length = first.length - lag;
  const a = first.slice(0, length);
  const b = second.slice(lag);
  const [meanA, meanB] = [mean(a), mean(b)];
  let product = 0;
  let squareA = 0;
  let squareB = 0;
  for (let i = 0; i < length; i += 1) {
    const [x, y] = [(a[i] ?? 0) - meanA, (b[i] ?? 0) - meanB];
    product += x * y;
    squareA += x * x;
    squareB += y * y;
  }
  return squareA > 0 && squareB > 0 ? product / Math.sqrt(squareA * squareB) : 0;
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

/** Standard deviation. */
function spread(values: number[]): number {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
}
