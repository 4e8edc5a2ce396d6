import { scenario } from "../../lib/call.mjs";
import { CONNECT_MS, PageUser } from "../../lib/page.mjs";

scenario("the page holds a call of three", async (call) => {
  const ada = await PageUser.open(call, "Ada", { tone: 500 });
  await ada.picture("lobby");
  await ada.join();
  const ben = await PageUser.open(call, "Ben", { tone: 770, colorScheme: "dark" });
  await ben.picture("lobby-dark");
  await ben.join();
  const cleo = await PageUser.open(call, "Cleo", { tone: 1130, viewport: { width: 390, height: 800 } });
  await cleo.picture("lobby-narrow");
  await cleo.join("Free");
  const people = [ada, ben, cleo];
  for (const person of people) await person.sees(3, CONNECT_MS);
  for (const person of people) {
    for (const other of people) if (other !== person) await person.hears(other);
  }

  await ada.press("Start camera");
  await ben.press("Start camera");
  for (const person of people) await person.playsVideos(2);
  await ada.press("Quality");
  await ada.page.getByText("Direct (UDP)").waitFor();
  await ada.picture("call-light");
  await ben.picture("call-dark");
  await cleo.picture("call-narrow");

  await ben.press("Share screen");
  for (const person of people) await person.playsVideos(3);
  await ada.picture("call-screen");
  await cleo.picture("call-screen-narrow");
  await ben.press("Stop sharing");
  for (const person of people) await person.playsVideos(2);

  await ben.press("Leave");
  await ben.button("Join call").waitFor();
  for (const person of [ada, cleo]) await person.sees(2);
  await cleo.playsVideos(1);
  await ada.hears(cleo);
});
