import { scenario } from "../lib/call.mjs";
import { callOfTwo, CONNECT_MS } from "../lib/page.mjs";

/** The contract gives the client this long to come back, and joining takes a moment. */
const BACK_MS = 35_000;

scenario("a call in the page comes back after the server was restarted", async (call) => {
  const [ada, ben] = await callOfTwo(call, { camera: true });
  await ada.hears(ben);

  await call.server.restart();
  await ada.page.getByText(/Reconnecting|Joining again/).waitFor();
  for (const person of [ada, ben]) await person.sees(2, BACK_MS);
  await ada.hears(ben, CONNECT_MS);
  await ben.hears(ada, CONNECT_MS);
  // Whatever was on is on again.
  await ada.playsVideos(1);
  await ben.playsVideos(1);
});
