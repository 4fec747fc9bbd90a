// Drives the map page in headless Chromium: hover, click, search, legend, keys, dark, phone, and a hundred thousand points.
//   node map.mjs PAGE.html LARGE.html SCREENSHOT_FOLDER
// Ends with 1 when something is not as it should be, when the console shows an error, or when anything is requested.
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { inflateSync } from "node:zlib";
import puppeteer from "puppeteer-core";

const [page, large, shots] = process.argv.slice(2);
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--enable-unsafe-swiftshader", "--force-color-profile=srgb"],
});
const wrong = [];

const open = async (file, { width = 1400, height = 900, dark = false, lang = "en-US" } = {}) => {
  const tab = await browser.newPage();
  await tab.setViewport({ width, height });
  await tab.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
  await tab.evaluateOnNewDocument((lang) => {
    Object.defineProperty(navigator, "language", { get: () => lang });
    window.opened = [];
    window.open = (url) => { window.opened.push(url); return null; };
  }, lang);
  tab.on("console", (message) => { if (message.type() === "error") wrong.push(`console: ${message.text()}`); });
  tab.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  tab.on("request", (request) => { if (!request.url().startsWith("file:") || request.url() !== pathToFileURL(file).href) wrong.push(`request: ${request.url()}`); });
  await tab.goto(pathToFileURL(file).href);
  await settle(tab);
  return tab;
};
const settle = (tab) => tab.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60)))));
const text = (tab, selector) => tab.$eval(selector, (e) => e.textContent);
const hidden = (tab) => tab.$eval("#tip", (e) => e.hidden);
// Where the points of the page are on screen, by the page's own data and its own fit to the window.
const places = (tab) => tab.evaluate(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const floats = (t) => new Float32Array(Uint8Array.from(atob(t), (c) => c.charCodeAt(0)).buffer);
  const xs = floats(data.x), ys = floats(data.y), stage = document.getElementById("stage").getBoundingClientRect();
  const [left, right, bottom, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const scale = Math.min((stage.width - 56) / (right - left), (stage.height - 56) / (top - bottom));
  return Array.from(xs, (x, i) => [stage.left + (x - (left + right) / 2) * scale + stage.width / 2, stage.top + stage.height / 2 - (ys[i] - (bottom + top) / 2) * scale]);
});
const data = (tab) => tab.evaluate(() => JSON.parse(document.getElementById("data").textContent));
// The colours of a small square of the screen around a place, each "r,g,b".
const around = async (tab, [x, y]) => {
  const shot = await tab.screenshot({ clip: { x: x - 7, y: y - 7, width: 14, height: 14 }, encoding: "binary" });
  const { data: pixels, channels } = decode(shot);
  const colours = new Set();
  for (let i = 0; i < pixels.length; i += channels) colours.add(`${pixels[i]},${pixels[i + 1]},${pixels[i + 2]}`);
  return colours;
};
// Enough of PNG for screenshots: 8 bits, no interlacing.
const decode = (png) => {
  const view = new DataView(png.buffer, png.byteOffset), parts = [];
  let at = 8, width = 0, channels = 0;
  while (at < png.length) {
    const length = view.getUint32(at), type = String.fromCharCode(...png.subarray(at + 4, at + 8));
    if (type === "IHDR") { width = view.getUint32(at + 8); channels = png[at + 17] === 6 ? 4 : 3; }
    if (type === "IDAT") parts.push(png.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  const raw = inflateSync(Buffer.concat(parts)), row = width * channels, data = new Uint8Array((raw.length / (row + 1)) * row);
  for (let y = 0; y * (row + 1) < raw.length; y++) {
    const filter = raw[y * (row + 1)];
    for (let x = 0; x < row; x++) {
      const a = x >= channels ? data[y * row + x - channels] : 0, b = y ? data[(y - 1) * row + x] : 0, c = x >= channels && y ? data[(y - 1) * row + x - channels] : 0;
      const p = a + b - c, [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
      const guess = [0, a, b, (a + b) >> 1, pa <= pb && pa <= pc ? a : pb <= pc ? b : c][filter];
      data[y * row + x] = raw[y * (row + 1) + 1 + x] + guess;
    }
  }
  return { data, channels };
};
const empty = (colours) => colours.size === 1;

const tab = await open(page);
const all = await data(tab);
const where = await places(tab);
// A point that no other is near, so that what is hovered is known.
const alone = where.findIndex((p, i) => where.every((q, j) => i === j || Math.hypot(p[0] - q[0], p[1] - q[1]) > 24));
assert.ok(alone >= 0, "a point that stands alone");

assert.ok(await hidden(tab), "no tip at first");
assert.ok(!empty(await around(tab, where[alone])), "the point is drawn");
await tab.mouse.move(...where[alone]);
assert.ok(!(await hidden(tab)), "a tip over a point");
assert.equal(await text(tab, "#tip strong"), all.titles[alone]);
await tab.screenshot({ path: `${shots}/map-light.png` });
await tab.mouse.click(...where[alone]);
const opened = await tab.evaluate(() => window.opened);
assert.equal(opened.length, 1, "a click opens one source");
assert.ok(opened[0].startsWith("file:///") && decodeURIComponent(opened[0]).endsWith(all.sources[alone]), opened[0]);
await tab.mouse.move(5, 5);

const word = all.titles.find((t) => /[가-힣]{2}/.test(t)).match(/[가-힣]{2}/)[0];
await tab.keyboard.press("/");
await tab.keyboard.type(word);
const hits = all.titles.filter((t, i) => (t + "\n" + all.texts[i]).includes(word)).length;
assert.equal(await text(tab, "#count"), `${hits} found`);
await settle(tab);
await tab.screenshot({ path: `${shots}/map-search.png` });
await tab.keyboard.press("Enter");
assert.equal(await text(tab, "#count"), `1/${hits}`);
assert.ok((await text(tab, "#tip strong")) + (await text(tab, "#tip p")) !== "", "the hit is shown");
await tab.keyboard.press("Escape");
assert.equal(await text(tab, "#count"), "");
await tab.keyboard.press("Escape");
await tab.keyboard.press("0");
await settle(tab);

// What the legend hides cannot be pointed at.
const cluster = await tab.evaluate((i) => new Int32Array(Uint8Array.from(atob(JSON.parse(document.getElementById("data").textContent).cluster), (c) => c.charCodeAt(0)).buffer)[i], alone);
const place = all.clusters.findIndex((c) => c.id === cluster);
const toggle = (await tab.$$("#legend .toggle"))[place];
await toggle.click();
assert.equal(await toggle.evaluate((e) => e.getAttribute("aria-pressed")), "false");
await tab.mouse.move(...where[alone]);
assert.ok(await hidden(tab), "a hidden point has no tip");
await settle(tab);
assert.ok(empty(await around(tab, where[alone])), "a hidden point is not drawn");
await tab.click("#every");
await tab.mouse.move(where[alone][0] + 1, where[alone][1]);
assert.ok(!(await hidden(tab)), "a point that is shown again has one");
const only = (await tab.$$("#legend .only"))[place];
await only.evaluate((e) => e.click());
const pressed = () => tab.$$eval("#legend .toggle", (all) => all.map((e) => e.getAttribute("aria-pressed")));
assert.equal((await pressed()).filter((p) => p === "true").length, 1, "only one is left");
await settle(tab);
await tab.screenshot({ path: `${shots}/map-only.png` });
await tab.click("#every");

await tab.focus("#stage");
for (const key of ["+", "ArrowLeft", "ArrowDown", "-", "0"]) await tab.keyboard.press(key);
await tab.mouse.move(700, 450);
await tab.mouse.wheel({ deltaY: -600 });
await settle(tab);
await tab.screenshot({ path: `${shots}/map-zoomed.png` });
await tab.click("#theme");
assert.equal(await tab.evaluate(() => document.documentElement.dataset.theme), "dark");
await tab.close();

const korean = await open(page, { dark: true, lang: "ko-KR" });
assert.equal(await korean.evaluate(() => document.documentElement.lang), "ko");
assert.equal(await text(korean, "#every"), "모두");
assert.ok(!empty(await around(korean, where[alone])), "the point is drawn on dark ground");
await korean.screenshot({ path: `${shots}/map-dark.png` });
await korean.close();

const phone = await open(page, { width: 390, height: 780 });
assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than a phone");
await phone.click("#drawer");
await new Promise((done) => setTimeout(done, 300));
assert.ok(await phone.$eval("#legend", (e) => e.getBoundingClientRect().left < innerWidth), "the legend is drawn in");
await phone.screenshot({ path: `${shots}/map-phone.png` });
await phone.close();

const started = Date.now();
const many = await open(large);
console.log(`large page: shown after ${Date.now() - started} ms`);
const frames = await many.evaluate(async () => {
  const stage = document.getElementById("stage"), times = [];
  const fire = (type, x, y) => stage.dispatchEvent(new PointerEvent(type, { pointerId: 1, clientX: x, clientY: y, button: 0, bubbles: true, pointerType: "mouse" }));
  stage.setPointerCapture = () => {};
  fire("pointerdown", 500, 400);
  for (let i = 0; i < 40; i++) {
    const before = performance.now();
    fire("pointermove", 500 + 5 * i, 400 + 3 * i);
    await new Promise((done) => requestAnimationFrame(done));
    times.push(performance.now() - before);
  }
  fire("pointercancel", 700, 520);
  return times.sort((a, b) => a - b);
});
console.log(`large page: a frame while panning takes ${frames[20].toFixed(1)} ms (median), ${frames[38].toFixed(1)} ms (p95)`);
const looked = await many.evaluate(() => {
  const stage = document.getElementById("stage"), before = performance.now();
  for (let i = 0; i < 200; i++) stage.dispatchEvent(new PointerEvent("pointermove", { pointerId: 2, clientX: 300 + i, clientY: 300 + i, bubbles: true }));
  return (performance.now() - before) / 200;
});
console.log(`large page: what is under the pointer is found in ${looked.toFixed(2)} ms`);
await many.keyboard.press("/");
await many.keyboard.type("1234");
assert.match(await text(many, "#count"), /^\d+ found$/);
await many.screenshot({ path: `${shots}/map-large.png` });
await many.close();

// Where there is no WebGL the same is drawn another way.
const without = await browser.newPage();
without.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
await without.setViewport({ width: 1400, height: 900 });
await without.evaluateOnNewDocument(() => {
  const get = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (type, ...rest) { return type === "webgl" ? null : get.call(this, type, ...rest); };
});
await without.goto(pathToFileURL(page).href);
await settle(without);
await without.screenshot({ path: `${shots}/map-plain.png` });
assert.deepEqual(wrong, []);
assert.ok(!empty(await around(without, where[alone])), "the point is drawn without WebGL");
await browser.close();

assert.deepEqual(wrong, []);
console.log("the map page: ok");
