/** A way to a server that can be cut: signaling breaks, media does not go through here. */
import { createServer, connect } from "node:net";

export async function proxyTo(url) {
  const { hostname, port } = new URL(url);
  const sockets = new Set();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) return near.resetAndDestroy();
    const far = connect(Number(port), hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(one);
      one.pipe(other);
      one.on("error", () => other.destroy());
      one.on("close", () => sockets.delete(one));
    }
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, hostname, resolve));
  return {
    url: `http://${hostname}:${server.address().port}`,
    /** Every connection breaks, and no new one comes about until `mend`. */
    cut() {
      isCut = true;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    mend() {
      isCut = false;
    },
    close() {
      this.cut();
      server.close();
    },
  };
}
