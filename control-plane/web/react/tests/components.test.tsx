import { VoiceError } from "@railgun/voice";
import { act, type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Call, en, GestureBar, useChannelPeople, useGestures, useParticipants, useTracks, useVoiceState, VoiceProvider } from "../src";
import { de } from "../src/texts/de";
import { fakeVoice, person, video } from "./fake-voice";

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
let voice: ReturnType<typeof fakeVoice>;
let page: HTMLElement;
let root: ReturnType<typeof createRoot>;

beforeEach(() => {
  voice = fakeVoice();
  page = document.createElement("div");
  document.body.append(page);
  root = createRoot(page);
});
afterEach(() => act(() => root.unmount()));

const show = (children: ReactNode, texts = en) =>
  act(async () =>
    root.render(
      <StrictMode>
        <VoiceProvider service={voice} texts={texts}>
          {children}
        </VoiceProvider>
      </StrictMode>,
    ),
  );
const button = (text: string) => [...page.querySelectorAll("button")].find((it) => it.textContent === text);
const press = (text: string) => act(async () => button(text)?.click());

describe("useVoiceState", () => {
  it("renders again when its part changes, and at no other change", async () => {
    const rendered = vi.fn();
    const Muted = () => {
      rendered(useVoiceState(({ muted }) => muted));
      return null;
    };
    await show(<Muted />);
    rendered.mockClear();
    await act(async () => voice.become({ deafened: true }));
    expect(rendered).not.toHaveBeenCalled();
    await act(async () => voice.become({ muted: true }));
    expect(rendered).toHaveBeenLastCalledWith(true);
  });

  it("leaves no listener behind", async () => {
    await show(<Call channelId="lobby" />);
    expect(voice.listeners()).toBeGreaterThan(0);
    await act(async () => root.unmount());
    expect(voice.listeners()).toBe(0);
    root = createRoot(page);
  });
});

describe("useChannelPeople", () => {
  it("watches the channel while it is shown, and tells who is there", async () => {
    const There = ({ channelId }: { channelId: string }) =>
      useChannelPeople(channelId).people?.map(({ userId }) => userId).join() ?? "?";
    await show(<There channelId="lobby" />);
    expect(page.textContent).toBe("?");
    const people = [{ userId: "ada", muted: false, deafened: false }];
    await act(async () => voice.become({ channels: { lobby: { people, error: null } } }));
    expect(page.textContent).toBe("ada");
    await show(<There channelId="other" />);
    expect(page.textContent).toBe("?");
    await show(null);
    // React's strict mode mounts twice.
    expect(voice.watchChannel.mock.calls.map(([id]) => id)).toEqual(["lobby", "lobby", "other"]);
    expect(voice.unwatch).toHaveBeenCalledTimes(3);
  });
});

describe("GestureBar", () => {
  it("raises the hand and reacts by its buttons, and says others' reactions", async () => {
    const reacted = vi.fn();
    const Bar = () => <GestureBar gestures={useGestures(reacted)} />;
    await show(<Bar />);
    await act(async () => voice.become({ state: "READY", sessionId: "me" }));
    await press(en.raiseHand);
    expect(button(en.lowerHand)?.getAttribute("aria-pressed")).toBe("true");
    await act(async () => page.querySelector<HTMLElement>(`[aria-label="${en.reactWith("👏")}"]`)?.click());
    expect(voice.sendData.mock.calls.map((call) => call.slice(0, 2))).toEqual([["hand", "up"], ["reaction", "👏"]]);
    await act(async () => voice.emit("data", { sessionId: "ada", userId: "ada", kind: "reaction", payload: "🎉" }));
    expect(reacted.mock.calls).toEqual([[null, "👏"], ["ada", "🎉"]]);
    await show(null);
    expect(voice.listeners()).toBe(0);
  });
});

it("a tile says what of a person's does not arrive, and the call that nothing does", async () => {
  await show(<Call channelId="lobby" />);
  await press("Join call");
  await act(async () => voice.become({ participants: [person("Ada", { trouble: "noSound" })], noSound: true }));
  expect(page.querySelectorAll("figcaption")[1]?.textContent).toBe("Adano sound arrives");
  expect(page.querySelector("[role=status]")?.textContent).toBe(en.noSoundFromAnybody);
});

it("a tile shows a picture of whoever has one, oneself too, and tells nobody where", async () => {
  await show(<Call channelId="lobby" name="Cleo" avatar="/cleo.png" />);
  await press("Join call");
  await act(async () => voice.become({ participants: [person("Ada", { avatar: "/ada.png" }), person("Ben")] }));
  const pictures = [...page.querySelectorAll("img")];
  expect(pictures.map((it) => it.getAttribute("src"))).toEqual(["/cleo.png", "/ada.png"]);
  expect(pictures.map((it) => it.getAttribute("referrerpolicy"))).toEqual(["no-referrer", "no-referrer"]);
});

it("useParticipants and useTracks give who is there and every video, with keys that stay", async () => {
  let keys: string[] = [];
  let names: string[] = [];
  const Probe = () => {
    keys = useTracks().map(({ key }) => key);
    names = useParticipants().map(({ name }) => name);
    return null;
  };
  await show(<Probe />);
  const track = {} as MediaStreamTrack;
  const camera = video({ track, status: "on" });
  await act(async () => voice.become({ camera, participants: [person("Ada", { screen: track }), person("Ben")] }));
  expect(names).toEqual(["Ada", "Ben"]);
  expect(keys).toEqual(["own-camera", "Ada-screen"]);
});

describe("Call", () => {
  it("asks for devices first, then shows everybody, and goes back after leaving", async () => {
    await show(<Call channelId="lobby" name="Cleo" />);
    expect(page.querySelectorAll("select")).toHaveLength(3);
    await press("Join call");
    expect(voice.joinChannel).toHaveBeenCalledWith("lobby", { muted: false });
    await act(async () =>
      voice.become({ participants: [person("Ada", { muted: true }), person("Ben", { speaking: true })] }),
    );
    const tiles = [...page.querySelectorAll<HTMLElement>("figure")];
    expect(tiles.map((tile) => tile.querySelector("figcaption")?.textContent)).toEqual(["Cleo (you)", "Adamuted", "Ben"]);
    expect(tiles.map((tile) => tile.dataset["speaking"])).toEqual(["false", "false", "true"]);
    await press("Mute");
    expect(voice.toggleMute).toHaveBeenCalledTimes(1);
    await press("Leave");
    expect(voice.leaveChannel).toHaveBeenCalled();
    expect(button("Join call")).toBeTruthy();
  });

  it("says why a join or a button did not work, and why a call ended", async () => {
    voice.joinChannel.mockRejectedValueOnce(new VoiceError("CHANNEL_FULL", "full"));
    await show(<Call channelId="lobby" />);
    await press("Join call");
    const alert = () => page.querySelector("[role=alert]")?.textContent;
    expect(alert()).toBe(en.errors["CHANNEL_FULL"]);
    await press("Join call");
    voice.toggleVideo.mockRejectedValueOnce(new VoiceError("DEVICE_IN_USE", "busy"));
    await press("Start camera");
    expect(page.querySelector("[role=status]")?.textContent).toBe(en.errors["DEVICE_IN_USE"]);
    await act(async () => {
      voice.emit("ended", new VoiceError("TRANSPORT_FAILED", "no way"));
      voice.become({ state: "DISCONNECTED" });
    });
    expect(alert()).toContain("cannot get through");
  });

  it("speaks German when it is told to", async () => {
    await show(<Call channelId="lobby" />, de);
    await press("Anruf beitreten");
    expect(button("Stummschalten")).toBeTruthy();
    await act(async () => voice.become({ media: "interrupted" }));
    expect(page.querySelector("[role=status]")?.textContent).toBe(de.interrupted);
  });

  it("has a name for every control and list", async () => {
    await show(<Call channelId="lobby" />);
    for (const select of page.querySelectorAll("select"))
      expect(page.querySelector(`label[for="${select.id}"]`)?.textContent).toBeTruthy();
    await press("Join call");
    for (const named of page.querySelectorAll("section, [role=group]")) expect(named.ariaLabel ?? named.getAttribute("aria-label")).toBeTruthy();
    for (const it of page.querySelectorAll("button")) expect(it.textContent).toBeTruthy();
  });
});
