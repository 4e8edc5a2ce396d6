import { scenario } from "../lib/call.mjs";
import { allRecogniseEachOther } from "../lib/person.mjs";

scenario("three clients recognise each other by tone and colour, answered by reply events", async (call) => {
  await allRecogniseEachOther(await call.invite(3));
});
