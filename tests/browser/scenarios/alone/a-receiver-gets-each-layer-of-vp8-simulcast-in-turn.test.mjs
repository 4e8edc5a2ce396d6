import { scenario } from "../../lib/call.mjs";
import { getsEachLayerInTurn, simulcast } from "../../lib/layers.mjs";
import { CAST, Person } from "../../lib/person.mjs";

scenario("a receiver gets each layer of VP8 simulcast in turn", async (call) => {
  const ada = await Person.join(call, CAST[0], { sends: [] });
  const ben = await Person.join(call, CAST[1], { sends: [] });
  await ada.do("publishColour", ada.colour, simulcast("video/VP8"));
  await getsEachLayerInTurn(ben, ada, "video/VP8");
});
