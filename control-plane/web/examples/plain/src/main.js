import { initVoiceService } from "@railgun/voice";
import { token, url } from "./token.js";

const on = (id, run) => document.querySelector(id).addEventListener("click", () => run().catch(say));
const say = (error) => (document.querySelector("#error").textContent = error?.message ?? "");

const voice = await initVoiceService({ url, token });
voice.on("change", ({ participants, muted }) => {
  document.querySelector("#mute").textContent = muted ? "Unmute" : "Mute";
  const items = participants.map(({ name, speaking }) =>
    Object.assign(document.createElement("li"), { textContent: speaking ? `${name} speaks` : name }),
  );
  document.querySelector("#people").replaceChildren(...items);
});
voice.on("ended", say);
on("#join", () => voice.joinChannel("lobby"));
on("#mute", () => voice.toggleMute());
on("#leave", () => voice.leaveChannel());
