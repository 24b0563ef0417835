// The pages of webhooks: filters, one delivery with both sides, send again, skip, a time range,
// endpoints from the form to the secret, pause and resume, the clock.

import assert from "node:assert/strict";
import { leave, sound, visitor } from "./page.mjs";
import { Merchant, florin, until } from "./sandbox.mjs";

const NARROW = { viewport: { width: 320, height: 740 } };

const LOOKS = [
  ["wide", {}],
  ["narrow", NARROW],
  ["dark", { colorScheme: "dark" }],
  ["narrow-dark", { ...NARROW, colorScheme: "dark" }],
  ["without script", { javaScriptEnabled: false }],
];

/** Nobody listens there. */
const NOWHERE = "http://127.0.0.1:9/hook";

/** All tests of these pages; `test` takes a name and a function. */
export function webhookTests(test, { browser, settings, shop }) {
  const merchant = new Merchant(settings);
  const base = settings.base_url;
  const deliveries = `${base}/sandbox/deliveries`;
  const endpoints = `${base}/sandbox/endpoints`;
  const main = (page) => page.locator("main").innerText();

  for (const [look, options] of LOOKS) {
    const visit = () => visitor(browser, [base], options);
    const check = (page, name) =>
      options.javaScriptEnabled === false ? null : sound(page, `webhooks-${name}-${look}`);
    /** Presses a button and arrives. */
    const press = async (page, within, name) => {
      const arrived = page.waitForNavigation();
      await within.getByRole("button", { name }).click({ noWaitAfter: true });
      return (await arrived).status();
    };

    test(`webhooks: deliveries are filtered, opened, sent again and skipped, ${look}`, async () => {
      const paid = await merchant.create({ webhook: `${shop.url}/hook` });
      await merchant.simulate(paid.id, "approve");
      await shop.webhookOf(paid.id);
      const waits = await merchant.create({ webhook: NOWHERE, reference_number: `W ${look}` });
      await merchant.simulate(waits.id, "approve");
      const page = await visit();
      await page.goto(deliveries);
      const filter = page.getByRole("search");
      await filter.getByLabel("Payment").fill(paid.id);
      await press(page, filter, "Filter");
      assert.match(page.url(), new RegExp(`payment=${paid.id}`), "the list's state is in the URL");
      const row = page.locator("article").filter({ hasText: "payment_request.completed" });
      await until("the delivery", async () => {
        await page.reload();
        return (await row.count()) === 1 && /your server took it/i.test(await row.innerText());
      });
      await row.locator("summary").click();
      const sides = await row.locator("details").first().innerText();
      assert.match(sides, /we sent/i);
      assert.match(sides, /payment_request_id=/);
      assert.match(sides, /your server answered/i);
      assert.match(sides, /OK/);
      assert.match(sides, /\d\d:\d\d:\d\d.UTC/, "every time says its zone");
      await check(page, "delivery");
      assert.equal(await press(page, row, /^send again/i), 200);
      await until("the second try", async () => {
        await page.reload();
        return /2 tries/i.test(await row.innerText());
      });
      assert.match(page.url(), new RegExp(`payment=${paid.id}`), "and stays there");
      // One that waits, by the merchant's own reference.
      await filter.getByLabel("Payment").fill(`W ${look}`);
      await filter.getByLabel("State").selectOption("pending");
      await press(page, filter, "Filter");
      await until("the failed try", async () => {
        await page.reload();
        return /no answer after/i.test(await main(page));
      });
      assert.match(await row.innerText(), /next try\s+\d.*UTC/i);
      await row.locator("summary").first().click();
      assert.match(await row.innerText(), /refused|unreachable|connect/i);
      await check(page, "waiting");
      assert.equal(await press(page, row, /^skip/i), 200);
      assert.match(await row.innerText(), /somebody skipped it/i);
      await filter.getByLabel("State").selectOption("paused");
      await press(page, filter, "Filter");
      assert.match(await main(page), /no delivery fits/i);
      await check(page, "none");
      await page.getByRole("link", { name: "Show all" }).click();
      assert.equal(page.url(), deliveries);
      await check(page, "all");
      await leave(page);
    });

    test(`webhooks: an endpoint from its form to the last range, ${look}`, async () => {
      const name = `Stock ${look} ${Date.now()}`;
      const page = await visit();
      await page.goto(endpoints);
      const form = page.locator("section").filter({ has: page.locator("#add") });
      await form.getByLabel("Address").fill("localhost:3000");
      await form.getByLabel("Events").fill("bill.payed");
      assert.equal(await press(page, form, "Register"), 422);
      assert.match(await form.innerText(), /did you mean bill\.paid\?/);
      assert.equal(await form.getByLabel("Address").inputValue(), "localhost:3000");
      await form.getByLabel("Events").fill("bill.*");
      assert.equal(await press(page, form, "Register"), 422);
      assert.match(await form.innerText(), /the URL/);
      await check(page, "endpoint-wrong");
      await form.getByLabel("Address").fill(`${shop.url}/stock`);
      await form.getByLabel("Your name for it").fill(name);
      assert.equal(await press(page, form, "Register"), 201);
      assert.match(await page.getByRole("status").innerText(), /whsec_/);
      await check(page, "endpoint-made");
      await page.goto(endpoints);
      assert.doesNotMatch(await main(page), /whsec_/, "shown once");
      const row = page.locator("article").filter({ hasText: name });
      const id = await row.getAttribute("id");
      await press(page, row, `Send a test event: ${name}`);
      await until("the test event", async () => {
        await page.goto(`${deliveries}?endpoint=${id}&state=delivered`);
        return /endpoint\.tested/.test(await main(page));
      });
      await page.goto(endpoints);
      await press(page, row, `Pause: ${name}`);
      assert.match(await row.innerText(), /somebody paused it on \d.*UTC/i);
      await merchant.create();
      await page.goto(`${deliveries}?endpoint=${id}&state=paused`);
      assert.match(await main(page), /somebody paused its endpoint/i);
      await check(page, "paused");
      await page.goto(endpoints);
      await press(page, row, `Resume: ${name}`);
      assert.match(await row.innerText(), /active/i);
      await until("what waited", async () => {
        await page.goto(`${deliveries}?endpoint=${id}&state=delivered`);
        return /bill\.created/.test(await main(page));
      });
      await page.goto(endpoints);
      await row.locator("summary").click();
      assert.equal(await press(page, row, "Send again"), 422, "without a time");
      assert.match(await row.innerText(), /give a date and a time/i);
      await check(page, "range-wrong");
      await row.getByLabel("From (UTC)").fill("2026-01-01T00:00");
      await row.getByLabel("Those that were delivered too").check();
      assert.equal(await press(page, row, "Send again"), 200);
      assert.match(await row.innerText(), /deliver(y|ies) goe?s? out again/i);
      await check(page, "range");
      await florin("webhooks", "endpoints", "remove", id);
      await leave(page);
    });
  }
}
