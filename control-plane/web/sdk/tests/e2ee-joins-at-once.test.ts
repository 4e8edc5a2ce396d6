/** Somebody comes to an encrypted channel while who is there is still loading what makes the keys. */
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { areHeard, areOne, Server, sleep, stubTransforms } from "./e2ee-clients";

/** Who is not listed is put out of the group within so long, in milliseconds. */
const PUT_OUT_WITHIN = 2_500;

beforeAll(stubTransforms);

it("both are in one group, and stay in it, though nobody else comes or goes", { timeout: 30_000 }, async () => {
  const server = new Server();
  onTestFinished(() => server.close());
  const clients = [await server.join("s1"), await server.join("s2")];
  await areOne(clients);
  await areHeard(clients);
  const codes = clients.map(({ code }) => code);
  await sleep(PUT_OUT_WITHIN);
  expect(clients.map(({ code }) => code)).toEqual(codes);
});
