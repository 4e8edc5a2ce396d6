import assert from "node:assert/strict";
import { scenario } from "../lib/call.mjs";
import { callOfTwo } from "../lib/page.mjs";
import { proxyTo } from "../lib/proxy.mjs";

/** The last is a tablet's. */
const WIDTHS = [320, 390, 768];
const HEIGHT = 700;

scenario("a phone has room for everything while it reconnects", async (call) => {
  const proxy = await proxyTo(call.server.url);
  try {
    const channel = "a-channel-with-a-rather-long-name-1234";
    const token = await call.server.token("Ben", "pro");
    const phone = { viewport: { width: 390, height: HEIGHT }, hasTouch: true };
    const [ada, ben] = await callOfTwo(call, { ben: { token, url: proxy.url, ...phone }, channel });
    await ada.hears(ben);
    proxy.cut();
    await ben.page.getByText(/Reconnecting/).waitFor();
    for (const width of WIDTHS) {
      await ben.page.setViewportSize({ width, height: HEIGHT });
      await ben.picture(`reconnecting-${width}`);
      const boxes = await boxesOf(ben, ".bar > *, .stage, .toolbar");
      for (const { name, left, right, bottom } of boxes)
        assert.ok(left >= 0 && right <= width && bottom <= HEIGHT, `${name} is within ${width}`);
      for (const [index, one] of boxes.entries()) {
        for (const other of boxes.slice(index + 1))
          assert.ok(areApart(one, other), `${one.name} and ${other.name} overlap at ${width}`);
      }
      // A sentence in a column of words would push the pictures away.
      const banner = boxes.find(({ name }) => /banner/.test(name));
      assert.ok(banner.bottom - banner.top < 50, `the banner has two lines at most at ${width}`);
      const [name, , quality] = ["H1", "clock", "quality"].map((it) => boxes.find((box) => box.name === it));
      assert.ok(quality.top < name.bottom, `name, clock and quality share a line at ${width}`);
      const stage = boxes.find(({ name }) => /stage/.test(name));
      assert.ok(stage.bottom - stage.top > HEIGHT / 2, `the pictures have their place at ${width}`);
    }
  } finally {
    proxy.close();
  }
});

function boxesOf({ page }, selector) {
  return page.$$eval(selector, (elements) =>
    elements
      .map((element) => {
        const { left, right, top, bottom } = element.getBoundingClientRect();
        return { name: element.className || element.tagName, left, right, top, bottom };
      })
      .filter(({ left, right }) => right > left),
  );
}

function areApart(one, other) {
  const isBeside = one.right <= other.left + 1 || other.right <= one.left + 1;
  return isBeside || one.bottom <= other.top + 1 || other.bottom <= one.top + 1;
}
