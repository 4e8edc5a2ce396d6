import { scenario } from "../lib/call.mjs";
import { allRecogniseEachOther } from "../lib/person.mjs";

scenario("three clients recognise each other by tone and colour, answered by acks", async (call) => {
  await allRecogniseEachOther(await call.invite(3, { mode: "ack" }));
});
