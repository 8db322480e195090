// The pages of a report in a real browser: what they ask of the network, what is on them, and how they are used.
// PAGES is a folder of pages, SHOTS one for pictures to be looked at, BROWSER a Chromium.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { chromium } from "playwright-core";

const { PAGES, SHOTS, BROWSER } = process.env;
const WIDTHS = [390, 1280, 1920];
const SCHEMES = ["light", "dark"];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const names = readdirSync(PAGES).filter((name) => name.endsWith(".html")).map((name) => name.slice(0, -5)).sort();

let browser;
let server;
/** All that was asked of the server since the page was opened, but for the page itself. */
let asked = [];

before(async () => {
  mkdirSync(SHOTS, { recursive: true });
  server = createServer((request, response) => {
    const name = request.url.slice(1);
    if (!names.includes(name.replace(/\.html$/, ""))) {
      asked.push(request.url);
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": "text/html" }).end(readFileSync(join(PAGES, name)));
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  browser = await chromium.launch({ executablePath: BROWSER, args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  server?.close();
});

/** Opens a page; what goes wrong on it is gathered in `wrong`. */
async function open(name, options = {}) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  const wrong = [];
  const address = `http://127.0.0.1:${server.address().port}/${name}.html`;
  asked = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("dialog", (dialog) => wrong.push(`a dialog: ${dialog.message()}`) && dialog.dismiss());
  page.on("request", (request) => {
    if (request.url() !== address && !request.url().startsWith("data:")) wrong.push(`a request: ${request.url()}`);
  });
  await page.goto(address);
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  return { page, wrong };
}

test("there are pages to look at", () => {
  for (const name of ["empty", "hostile", "months", "one-row", "pcaps"]) assert.ok(names.includes(name), name);
});

for (const name of names) {
  describe(name, () => {
    for (const width of WIDTHS) {
      for (const colorScheme of SCHEMES) {
        test(`${width} wide, ${colorScheme}`, async () => {
          const { page, wrong } = await open(name, { viewport: { width, height: 900 }, colorScheme });
          await page.screenshot({ path: join(SHOTS, `${name}-${width}-${colorScheme}.png`), fullPage: true });
          assert.deepEqual(await page.evaluate(faultsOfLayout), []);
          assert.deepEqual(wrong, []);
          assert.deepEqual(asked, []);
          await page.close();
        });
      }
    }

    test("every chart has its number, its question, an answer, and a picture or a note", async () => {
      const { page } = await open(name);
      const charts = await page.evaluate(() => [...document.querySelectorAll("section.chart")].map((chart) => ({
        number: chart.querySelector(".number")?.textContent,
        words: [...chart.querySelectorAll("h2, .question, .answer")].map((one) => one.textContent.trim().length > 3),
        views: [...chart.querySelectorAll(".view")].map((view) => ({
          drawn: view.querySelectorAll("figure .bin, figure .tile, figure .dot, figure li, .glance td").length > 0,
          note: (view.querySelector(".note")?.textContent ?? "").length > 0,
          sql: view.querySelector("pre").textContent.includes("select"),
        })),
      })));
      assert.equal(charts.length, 11);
      charts.forEach((chart, index) => {
        assert.equal(chart.number, String(index + 1));
        assert.deepEqual(chart.words, [true, true, true]);
        for (const view of chart.views) {
          assert.notEqual(view.drawn, view.note, `chart ${index + 1}`);
          assert.ok(view.sql);
        }
      });
      await page.close();
    });

    for (const colorScheme of SCHEMES) {
      test(`can be used by all, ${colorScheme}`, async () => {
        const { page } = await open(name, { colorScheme, reducedMotion: "reduce" });
        await page.evaluate(() => document.querySelectorAll("details").forEach((one) => (one.open = true)));
        await page.evaluate(axe);
        const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
        const told = found.violations.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`);
        assert.deepEqual(told, []);
        await page.close();
      });
    }
  });
}

/** Runs on the page: what sticks out, is cut, or lies upon something else. */
function faultsOfLayout() {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) faults.push(`the page is ${root.scrollWidth} wide`);
  for (const svg of document.querySelectorAll("figure svg")) {
    const room = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].map((node) => ({ box: node.getBoundingClientRect(), text: node.textContent }));
    texts.forEach(({ box, text }, index) => {
      if (box.left < room.left - 2 || box.right > room.right + 8) faults.push(`sticks out: ${text}`);
      for (const other of texts.slice(index + 1)) {
        const wide = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const tall = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (wide > 1 && tall > 1) faults.push(`${text} lies upon ${other.text}`);
      }
    });
  }
  for (const node of document.querySelectorAll("h1, h2, h3, .answer, .big, .value, .legend li, .choice span, .period span")) {
    if (node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== "inline") faults.push(`is cut: ${node.textContent}`);
    const box = node.getBoundingClientRect();
    const frame = node.closest("section, header")?.getBoundingClientRect();
    if (frame && box.right > frame.right + 1) faults.push(`sticks out: ${node.textContent}`);
  }
  return faults;
}

test("nothing on the page can reach the network", async () => {
  const { page } = await open("pcaps");
  const refused = await page.evaluate(async () => {
    const here = location.origin;
    const told = new Set();
    document.addEventListener("securitypolicyviolation", (event) => told.add(event.effectiveDirective));
    await fetch(`${here}/fetched`).catch(() => {});
    for (const [tag, attribute] of [["img", "src"], ["iframe", "src"], ["script", "src"], ["video", "src"], ["object", "data"]]) {
      const node = document.createElement(tag);
      node.setAttribute(attribute, `${here}/${tag}`);
      document.body.append(node);
    }
    const style = document.createElement("style");
    style.textContent = `body { background: url(${here}/style) }`;
    document.head.append(style);
    const inline = document.createElement("script");
    inline.textContent = "globalThis.ran = true";
    document.body.append(inline);
    navigator.sendBeacon(`${here}/beacon`);
    await new Promise((done) => setTimeout(done, 300));
    return { told: [...told].sort(), ran: globalThis.ran ?? false };
  });
  assert.deepEqual(asked, []);
  assert.equal(refused.ran, false);
  for (const directive of ["connect-src", "frame-src", "img-src", "media-src", "object-src", "script-src-elem", "style-src-elem"]) {
    assert.ok(refused.told.includes(directive), `${directive} of ${refused.told}`);
  }
  await page.close();
});

test("values from the wire are text", async () => {
  const { page, wrong } = await open("hostile");
  await page.evaluate(() => document.querySelectorAll("details").forEach((one) => (one.open = true)));
  await page.waitForTimeout(100);
  const found = await page.evaluate(() => ({
    scripts: document.querySelectorAll("script").length,
    foreign: document.querySelectorAll("img, iframe, object, embed, video, audio, form, svg script, [onerror], [onload]").length,
    ran: globalThis.hacked ?? false,
    text: document.body.innerText,
    longest: Math.max(...[...document.querySelectorAll("bdi")].map((one) => one.textContent.length)),
  }));
  assert.deepEqual({ scripts: found.scripts, foreign: found.foreign, ran: found.ran }, { scripts: 2, foreign: 0, ran: false });
  assert.ok(found.text.includes("<script>globalThis.hacked=1</script>"), "the value is shown as it is");
  assert.ok(!/[\u202a-\u202e\u2066-\u2069\u0000]/.test(found.text), "nothing turns text around");
  assert.ok(found.text.includes("\\u{202e}"));
  assert.ok(found.longest < 1000, `${found.longest}`);
  assert.deepEqual(wrong, []);
  await page.close();
});

test("marks are reached by keyboard, and told of when they are", async () => {
  const { page } = await open("pcaps");
  const bins = page.locator("#traffic .bin");
  assert.ok((await bins.count()) > 2);
  assert.equal(await page.locator("#traffic .bin[tabindex='0']").count(), 1);
  await page.locator("#traffic .choice input").first().focus();
  await page.keyboard.press("Tab");
  const now = () => page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  const tip = () => page.evaluate(() => {
    const node = document.querySelector(".tip.on");
    return node && getComputedStyle(node).visibility === "visible" ? node.textContent : null;
  });
  const first = await now();
  assert.match(first, /\d{4}.*: .* [kMG]?B/);
  assert.ok((await tip()).length > 5);
  await page.keyboard.press("ArrowRight");
  const second = await now();
  assert.notEqual(second, first);
  await page.keyboard.press("End");
  assert.equal(await now(), await bins.last().getAttribute("aria-label"));
  await page.keyboard.press("Home");
  assert.equal(await now(), first);
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement.querySelector(".touch")).strokeWidth);
  assert.equal(outline, "2px");
  await page.keyboard.press("Escape");
  assert.equal(await tip(), null);
  // One stroke leads past all bars.
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "SUMMARY");
  await page.close();
});

test("the rows behind a chart open and are sorted", async () => {
  const { page } = await open("pcaps");
  const view = page.locator("#talkers .view").first();
  await view.locator("summary").first().click();
  const column = async (index) => (await view.locator(`tbody tr td:nth-child(${index})`).allTextContents());
  const sent = async () => page.evaluate(() => [...document.querySelectorAll("#talkers .view:first-child tbody tr td:nth-child(4)")]
    .map((one) => Number(one.textContent.replaceAll(",", ""))));
  await view.locator("th button").nth(3).click();
  const falling = await sent();
  assert.ok(falling.length > 2);
  assert.deepEqual(falling, [...falling].sort((a, b) => b - a));
  assert.equal(await view.locator("th").nth(3).getAttribute("aria-sort"), "descending");
  await view.locator("th button").nth(3).click();
  assert.deepEqual(await sent(), [...falling].sort((a, b) => a - b));
  await view.locator("th button").first().click();
  const names = await column(1);
  assert.deepEqual(names, [...names].sort((a, b) => a.localeCompare(b)));
  await page.close();
});

test("what bars measure can be changed", async () => {
  const { page } = await open("pcaps");
  const values = () => page.locator("#talkers .view").first().locator(".value").allTextContents();
  const bytes = await values();
  assert.match(bytes[0], /B$/);
  await page.locator("#talkers .choice").first().getByLabel("Conversations").check();
  assert.match((await values())[0], /^[\d,]+$/);
  await page.close();
});

test("light and dark can be chosen against the system, and are remembered", async () => {
  const { page } = await open("pcaps", { colorScheme: "light" });
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await page.getByLabel("Dark", { exact: true }).check();
  const dark = await paper();
  assert.notEqual(dark, light);
  await page.reload();
  assert.equal(await paper(), dark);
  await page.getByLabel("Light", { exact: true }).check();
  assert.equal(await paper(), light);
  await page.close();
});

test("on paper it is light and complete", async () => {
  const { page } = await open("pcaps", { colorScheme: "dark" });
  await page.getByLabel("Dark", { exact: true }).check();
  await page.emulateMedia({ media: "print" });
  const shown = await page.evaluate(() => ({
    ink: getComputedStyle(document.querySelector("h2")).color,
    tools: getComputedStyle(document.querySelector(".tools")).display,
  }));
  assert.equal(shown.tools, "none");
  assert.equal(shown.ink, "rgb(23, 32, 42)");
  const paper = await page.pdf({ path: join(SHOTS, "pcaps.pdf"), format: "A4" });
  assert.ok(paper.length > 50_000);
  await page.close();
});
