import { scenario } from "../lib/call.mjs";
import { nothingOverflows } from "../lib/overflow.mjs";
import { PageUser } from "../lib/page.mjs";

scenario("nothing overflows on a phone in any state", async (call) => {
  const channel = "a-channel-with-a-rather-long-name-1234";
  const phone = { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true };
  const ada = await PageUser.open(call, "Adalbertina-Wilhelmine von Hohenstein", { tone: 500, ...phone });
  await nothingOverflows(ada, "phone lobby");
  await ada.join("Pro", channel);
  await ada.page.getByText("You are the first one here").waitFor();
  await nothingOverflows(ada, "phone alone");
  await ada.press("Invite somebody");
  await nothingOverflows(ada, "phone invitation");
  await ada.page.keyboard.press("Escape");

  const ben = await PageUser.open(call, "Ben", { tone: 770 });
  await ben.join("Pro", channel);
  await ada.sees(2);
  await nothingOverflows(ada, "phone call of two");
  await ben.press("Start camera");
  await ada.press("Start camera");
  await ada.playsVideos(2);
  await nothingOverflows(ada, "phone call with cameras");
  await ada.page.locator(".tile", { hasText: "Ben" }).getByRole("button", { name: "Pin Ben" }).click();
  await nothingOverflows(ada, "phone with a pinned person");
  await ada.page.locator(".tile.pinned").getByRole("button", { name: "Pin Ben" }).click();
  await ben.press("Share screen");
  await ada.page.locator(".focus .tile.screen video").waitFor();
  await nothingOverflows(ada, "phone with a shared screen");

  await ada.press("People");
  await nothingOverflows(ada, "phone with people");
  await ada.press("Close people");
  await ada.press("Quality");
  await nothingOverflows(ada, "phone with quality");
  await ada.press("Close call quality");
  await ada.press("Settings");
  await nothingOverflows(ada, "phone with settings");
  await ada.page.keyboard.press("Escape");

  call.server.programs.at(-1).child.kill("SIGKILL");
  await ada.page.getByText(/Reconnecting|Joining again/).waitFor();
  await nothingOverflows(ada, "phone reconnecting");
});
