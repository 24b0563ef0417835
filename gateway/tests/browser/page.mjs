// A browser as a payer has it, and what must hold on every page it sees.

import assert from "node:assert/strict";
import axe from "axe-core";
import { chromium } from "playwright-core";

const SHOTS = process.env.SHOTS;

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
}

/** A fresh visitor. Requests to elsewhere, script errors and broken policies are collected. */
export async function visitor(browser, allowed, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    reducedMotion: "reduce",
    ...options,
  });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(`script error: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    if (/content security policy/i.test(text)) page.faults.push(text);
  });
  page.on("request", (request) => {
    const url = request.url();
    const ours = allowed.some((base) => url === base || url.startsWith(`${base}/`));
    if (!ours && !url.startsWith("data:")) page.faults.push(`a request to elsewhere: ${url}`);
  });
  return page;
}

/** Ends a visit; nothing may have gone wrong behind the scenes. */
export async function leave(page) {
  const { faults } = page;
  await page.context().close();
  assert.deepEqual(faults, []);
}

/** No violation that axe-core knows of, and nothing to scroll sideways for. */
export async function sound(page, name) {
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
  const [wide, inner] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    window.innerWidth,
  ]);
  assert.ok(wide <= inner, `${name}: ${wide} px wide in a window of ${inner} px`);
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  const found = violations.map((violation) => {
    const places = violation.nodes.map((node) => `${node.target.join(" ")}: ${node.html}`);
    return `${violation.id} (${violation.help})\n      ${places.join("\n      ")}`;
  });
  assert.equal(found.length, 0, `${name}: axe found\n    ${found.join("\n    ")}`);
}

/** The input with an autocomplete token; a section or "billing" may stand before it. */
export const field = (page, token) => page.locator(`input[autocomplete~="${token}"]`);

/** The submit button with a value. */
export const button = (page, value) =>
  page.locator(`button[name="action"][value="${value}"], button[name="outcome"][value="${value}"]`);

export async function type(page, number, card = {}) {
  const { expiry = "12/34", code = "123", name = "A Payer" } = card;
  await field(page, "cc-number").fill(number);
  await field(page, "cc-exp").fill(expiry);
  await field(page, "cc-csc").fill(code);
  if (await field(page, "cc-name").count()) await field(page, "cc-name").fill(name);
}

/** Presses a button and gives the status of the answer to the form itself, before any redirect. */
export async function press(page, value) {
  const arrived = page.waitForNavigation();
  arrived.catch(() => {}); // if the click fails, the click's error is the one to report
  await button(page, value).first().click({ noWaitAfter: true });
  let request = (await arrived).request();
  while (request.redirectedFrom()) request = request.redirectedFrom();
  return (await request.response()).status();
}

/** Fills the card form and pays. */
export async function pay(page, number, card) {
  await type(page, number, card);
  return press(page, "pay");
}

/** Goes on with the Tab key until an element has the focus, and shows that one can see it. */
export async function tabTo(page, selector) {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press("Tab");
    const here = await page.evaluate((wanted) => {
      const element = document.activeElement;
      if (!element?.matches(wanted)) return null;
      const style = getComputedStyle(element);
      return style.outlineStyle !== "none" || style.boxShadow !== "none";
    }, selector);
    if (here !== null) {
      assert.ok(here, `${selector} has the focus and does not show it`);
      return;
    }
  }
  assert.fail(`${selector} cannot be reached with the Tab key`);
}
