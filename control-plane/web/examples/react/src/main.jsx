import { Call, VoiceProvider } from "@railgun/react";
import "@railgun/react/styles.css";
import { createRoot } from "react-dom/client";
import { token, url } from "./token.js";

createRoot(document.querySelector("#root")).render(
  <VoiceProvider options={{ url, token }}>
    <h1>A call</h1>
    <Call channelId="lobby" name="Me" />
  </VoiceProvider>,
);
