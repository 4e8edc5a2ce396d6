import { scenario } from "../lib/call.mjs";
import { launchFirefox } from "../lib/firefox.mjs";
import { allRecogniseEachOther, CAST, Person } from "../lib/person.mjs";

scenario("Firefox and Chromium hear and see each other", async (call) => {
  const firefox = await launchFirefox(CAST[0].tone);
  try {
    // It sends fewer pixels than it is given until it knows what the path carries.
    const ada = await Person.join(call, CAST[0], { browser: firefox, speakers: false, size: null });
    const ben = await Person.join(call, CAST[1]);
    await allRecogniseEachOther([ada, ben]);
  } finally {
    await firefox.close();
  }
});
