import { VoiceService, type VoiceOptions, type VoiceSnapshot } from "@railgun/voice";
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useState,
  useSyncExternalStore,
} from "react";
import { en, type Texts } from "./texts/en";

const Voice = createContext<VoiceService | null>(null);
const Words = createContext<Texts>(en);

export type VoiceProviderProps = {
  children?: ReactNode;
  /** In place of English: `de` from `@railgun/react/de`, or one's own. */
  texts?: Texts;
} & (
  | {
      /** As for `initVoiceService`; read once. */
      options: VoiceOptions;
      service?: never;
    }
  | {
      /** A service of the application's own, which also ends its calls. */
      service: VoiceService;
      options?: never;
    }
);

/** Gives a voice service to everything inside. One that it made leaves its call when it is unmounted. */
export function VoiceProvider({ children, texts = en, options, service }: VoiceProviderProps) {
  const [own] = useState(() => service ?? new VoiceService(options as VoiceOptions));
  const voice = service ?? own;
  const isOwn = service === undefined;
  useEffect(() => {
    if (isOwn) return () => void voice.leaveChannel();
  }, [voice, isOwn]);
  return (
    <Voice.Provider value={voice}>
      <Words.Provider value={texts}>{children}</Words.Provider>
    </Voice.Provider>
  );
}

/** The service itself: its methods, its events. Fails outside a `VoiceProvider`. */
export function useVoice(): VoiceService {
  const voice = useContext(Voice);
  if (!voice) throw new Error("useVoice needs a <VoiceProvider> around it");
  return voice;
}

export function useTexts(): Texts {
  return useContext(Words);
}

/**
 * A part of the snapshot; the component renders again when that part changes. `select` gives a part as it is and
 * makes no new object: `(snapshot) => snapshot.participants`.
 */
export function useVoiceState<Part>(select: (snapshot: VoiceSnapshot) => Part): Part {
  const voice = useVoice();
  const subscribe = useCallback((changed: () => void) => voice.on("change", changed), [voice]);
  const read = () => select(voice.snapshot);
  return useSyncExternalStore(subscribe, read, read);
}
