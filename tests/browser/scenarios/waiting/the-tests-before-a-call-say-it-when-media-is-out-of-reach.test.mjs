import { scenario } from "../../lib/call.mjs";
import { impairedWayTo } from "../../lib/impair.mjs";
import { PageUser, says } from "../../lib/page.mjs";

const NETWORK_MS = 25_000;

scenario("the tests before a call say it when the server is out of reach for media", async (call) => {
  const way = await impairedWayTo(call.server);
  try {
    way.become({ loss: 1 });
    const ada = await PageUser.open(call, "Ada", { tone: 500, ports: way.ports });
    const result = (title) => ada.page.locator(".checks li", { hasText: title }).locator(".result");
    await ada.press("Test network");
    await says(result("Network"), /^Sound and video cannot reach the server from this network/, NETWORK_MS);
    await says(result("Network"), /Mbit\/s up · UDP blocked/, 0);
  } finally {
    way.close();
  }
});
