import { scenario } from "../../lib/call.mjs";
import { getsEachLayerInTurn, scalable } from "../../lib/layers.mjs";
import { CAST, Person } from "../../lib/person.mjs";

scenario("a receiver gets each layer of VP9 K-SVC in turn", async (call) => {
  const ada = await Person.join(call, CAST[0], { sends: [] });
  const ben = await Person.join(call, CAST[1], { sends: [] });
  await ada.do("publishColour", ada.colour, scalable("video/VP9", "L3T3_KEY"));
  await getsEachLayerInTurn(ben, ada, "video/VP9");
});
