/** Whether a page keeps within the width of its window. */
import assert from "node:assert/strict";

export const SIZES = [
  { width: 320, height: 640 },
  { width: 390, height: 800 },
  { width: 768, height: 1024 },
  { width: 800, height: 390 },
  { width: 640, height: 320 },
  { width: 1024, height: 768 },
];

/** Nothing sticks out, or is cut off, in what a person sees now, at each size. */
export async function nothingOverflows(person, what, sizes = SIZES) {
  const before = person.page.viewportSize();
  for (const { width, height } of sizes) {
    await person.page.setViewportSize({ width, height });
    await person.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    await person.picture(`${what.replaceAll(" ", "-")}-${width}`);
    const out = await person.page.evaluate(stickingOut);
    assert.deepEqual(out, [], `${what} at ${width}x${height}`);
  }
  await person.page.setViewportSize(before);
}

function stickingOut() {
  const { scrollWidth, clientWidth } = document.documentElement;
  const found = scrollWidth > clientWidth ? [`the page is ${scrollWidth} wide`] : [];
  // What is in a box that scrolls, or is hidden but for screen readers, is within reach.
  const isClipped = (element) => {
    for (let box = element; box; box = box.parentElement) {
      const { overflowX, clipPath, opacity } = getComputedStyle(box);
      if (clipPath !== "none" || opacity === "0") return true;
      if (box !== element && (overflowX === "auto" || overflowX === "scroll")) return true;
    }
    return false;
  };
  for (const element of document.querySelectorAll("button, input, select, h1, h2, p, figure, figcaption, dialog, .panel")) {
    const { left, right, width, height } = element.getBoundingClientRect();
    if (width === 0 || height === 0 || isClipped(element)) continue;
    if (left < -1 || right > clientWidth + 1) found.push(`${element.tagName}.${element.className} ${left}-${right}`);
  }
  const [name, quality] = [".bar h1", ".bar .quality"].map((it) => document.querySelector(it)?.getBoundingClientRect());
  if (name && quality.top > name.bottom) found.push("the quality is on a line below the name");
  // A dialog in front of it may have the bottom.
  const toolbar = document.querySelector(".toolbar")?.getBoundingClientRect();
  if (toolbar && toolbar.bottom > innerHeight + 1) found.push(`the toolbar ends at ${toolbar.bottom} of ${innerHeight}`);
  const ends = [...document.querySelectorAll(".toolbar .tool")].filter((tool) => tool.getBoundingClientRect().width > 0);
  for (const tool of ends) {
    const { width, height } = tool.getBoundingClientRect();
    if (width < 24 || height < 24) found.push(`${tool.className} is ${width}x${height}`);
  }
  return found;
}
