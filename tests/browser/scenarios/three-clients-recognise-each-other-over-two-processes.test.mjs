import { scenario } from "../lib/call.mjs";
import { allRecogniseEachOther } from "../lib/person.mjs";
import { twoProcesses } from "../lib/server.mjs";

scenario(
  "three clients recognise each other when control-plane and media node are two processes",
  async (call) => {
    await allRecogniseEachOther(await call.invite(3));
  },
  { start: twoProcesses },
);
