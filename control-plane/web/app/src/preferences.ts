import type { VoiceService } from "@railgun/voice";

interface Stored {
  name: string;
  channel: string;
  microphone: string;
  camera: string;
  speaker: string;
  /** 0 to 2. */
  inputVolume: number;
  /** 0 to 2. */
  outputVolume: number;
  denoise: boolean;
  /** Of the camera's background, where the system does it. */
  blur: boolean;
  /** When somebody comes or goes, and at one's own mute. */
  sounds: boolean;
  /** Whoever speaks is shown large. */
  speakerView: boolean;
  /** `en` or `de`; empty: the browser's. */
  language: string;
}

const DEFAULTS: Stored = {
  name: "",
  channel: "lobby",
  microphone: "",
  camera: "",
  speaker: "",
  inputVolume: 1,
  outputVolume: 1,
  denoise: false,
  blur: false,
  sounds: true,
  speakerView: false,
  language: "",
};
const KEY = "railgun";

/** What the page remembers from one visit to the next. */
class Preferences {
  #stored: Stored = { ...DEFAULTS, ...read() };

  get values(): Readonly<Stored> {
    return this.#stored;
  }

  save(change: Partial<Stored>): void {
    this.#stored = { ...this.#stored, ...change };
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#stored));
    } catch {
      // A browser that stores nothing forgets; the call does not need it.
    }
  }
}

function read(): Partial<Stored> {
  try {
    return (JSON.parse(localStorage.getItem(KEY) ?? "{}") ?? {}) as Partial<Stored>;
  } catch {
    return {};
  }
}

export const preferences = new Preferences();

/** Gives a new service the devices and volumes of before; what is not plugged in any more is left out. */
export async function applyPreferences(voice: VoiceService): Promise<void> {
  const { microphone, camera, speaker, inputVolume, outputVolume, denoise } = preferences.values;
  voice.setInputVolume(inputVolume);
  voice.setOutputVolume(outputVolume);
  await voice.preferDevices({ microphone, camera, speaker });
  if (denoise) void voice.setNoiseSuppression(true);
}
