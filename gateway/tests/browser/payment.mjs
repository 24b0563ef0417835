// Pays on the hosted page as a person would: with the mouse, with the keyboard, without script,
// on a phone and on a desk, by day and by night. `run` starts it.

import assert from "node:assert/strict";
import { button, field, launch, leave, pay, press, sound, tabTo, type, visitor } from "./page.mjs";
import { cashierTests } from "./numipay.mjs";
import { Merchant, florin, openShop, sandbox, until } from "./sandbox.mjs";
import { giftTests } from "./gifts.mjs";
import { phoneTests } from "./vipps.mjs";
import { webhookTests } from "./webhooks.mjs";

const APPROVED = "4242424242424242";
const DECLINED = "4000000000000002";
const CHALLENGED = "4000002760003184";
const START = /^(try|start) a payment$/i;

const settings = await sandbox();
const merchant = new Merchant(settings);
const base = settings.base_url;
const shop = await openShop();
const browser = await launch();
const tests = [];
const test = (name, run) => tests.push({ name, run });

/** A visitor on the page of a new payment request. */
async function at(fields, options) {
  const ours = { redirect_url: `${shop.url}/back`, webhook: `${shop.url}/hook` };
  const bill = await merchant.create({ ...ours, ...fields });
  const page = await visitor(browser, [base, shop.url], options);
  const answer = await page.goto(bill.url);
  assert.equal(answer.status(), 200);
  return { page, bill };
}

const text = (page) => page.locator("main").innerText();

/** The browser is back at the shop, with the arguments of the contract. */
function isBack(page, bill, status) {
  const url = new URL(page.url());
  assert.equal(url.origin, shop.url, `still at ${url}`);
  assert.equal(url.searchParams.get("reference"), bill.id);
  assert.equal(url.searchParams.get("status"), status);
}

/** One payment and no more went through; tries that did not are listed beside it. */
async function isPaidOnce(bill) {
  const after = await merchant.show(bill.id);
  assert.equal(after.status, "completed");
  assert.equal(after.payments.filter((payment) => payment.status === "succeeded").length, 1);
}

async function isOpen(bill) {
  const after = await merchant.show(bill.id);
  assert.equal(after.status, "pending");
}

/** From the home page through a decline to the demo shop's page with the webhook. */
async function wholeDemo(page) {
  await page.goto(base);
  await page.getByRole("button", { name: START }).click();
  await page.waitForURL(/\/payment-request\//);
  if ((await field(page, "cc-number").count()) === 0) await press(page, "choose");
  assert.equal(await pay(page, DECLINED), 422, "a decline is no success");
  assert.match(await text(page), /declined/i);
  assert.match(await text(page), /nothing was charged/i);
  assert.equal(await field(page, "cc-number").inputValue(), "", "the number is not kept");
  assert.equal(await pay(page, APPROVED), 303);
  await until("the webhook on the shop's page", async () => {
    if (/genuine/i.test(await text(page))) return true;
    await page.reload();
    return false;
  });
  assert.match(await text(page), /hmac/i);
}

test("home, decline, pay, and the shop's page with a genuine webhook", async () => {
  const page = await visitor(browser, [base]);
  await wholeDemo(page);
  await sound(page, "shop");
  await leave(page);
});

test("the same without script", async () => {
  const page = await visitor(browser, [base], { javaScriptEnabled: false });
  await wholeDemo(page);
  await leave(page);
});

test("a paid request returns to the shop and its webhook is genuine", async () => {
  const { page, bill } = await at({ reference_number: "Café & Co=1" });
  assert.match(await text(page), /12\.50/);
  assert.match(await button(page, "pay").innerText(), /12\.50/, "the button says the amount");
  assert.equal(await pay(page, APPROVED), 303);
  isBack(page, bill, "completed");
  const webhook = await shop.webhookOf(bill.id);
  assert.ok(merchant.isGenuine(webhook), `not genuine: ${webhook}`);
  assert.equal(webhook.get("status"), "completed");
  assert.equal(webhook.get("amount"), "12.50");
  webhook.set("amount", "12.51");
  assert.ok(!merchant.isGenuine(webhook), "a changed amount is found");
  await isPaidOnce(bill);
  await leave(page);
});

test("a bad number is mended at its field", async () => {
  const { page, bill } = await at();
  assert.equal(await pay(page, "4242424242424241", { expiry: "13/30", code: "1" }), 422);
  for (const token of ["cc-number", "cc-exp", "cc-csc"]) {
    const input = field(page, token);
    assert.equal(await input.getAttribute("aria-invalid"), "true", token);
    const words = await input.evaluate((element) =>
      (element.getAttribute("aria-describedby") ?? "")
        .split(" ")
        .map((id) => document.getElementById(id)?.innerText ?? "")
        .join(" "),
    );
    assert.match(words, /check|enter/i, `${token} says what to do`);
  }
  assert.equal(await field(page, "cc-name").inputValue(), "A Payer", "what was typed stays");
  assert.equal(await field(page, "cc-number").inputValue(), "");
  assert.equal(await field(page, "cc-csc").inputValue(), "", "the code never stays");
  await sound(page, "field-errors");
  await isOpen(bill);
  assert.equal(await pay(page, "4242 4242 4242 4242", { expiry: "12 / 34" }), 303);
  await isPaidOnce(bill);
  await leave(page);
});

test("3-D Secure: approve, decline, leave", async () => {
  const { page, bill } = await at();
  assert.equal(await pay(page, CHALLENGED), 303);
  await sound(page, "challenge");
  await press(page, "leave");
  assert.ok(page.url().startsWith(bill.url), "whoever leaves is back at the payment");
  await isOpen(bill);
  await pay(page, CHALLENGED);
  assert.equal(await press(page, "decline"), 422);
  assert.match(await text(page), /declined|not approved|not confirmed/i);
  await isOpen(bill);
  await page.goto(bill.url);
  await pay(page, CHALLENGED);
  assert.equal(await press(page, "approve"), 303);
  isBack(page, bill, "completed");
  await isPaidOnce(bill);
  await leave(page);
});

test("cancel goes back to the shop and charges nothing", async () => {
  const { page, bill } = await at();
  assert.equal(await press(page, "cancel"), 303);
  isBack(page, bill, "canceled");
  await isOpen(bill);
  await leave(page);
});

test("a paid request takes no second payment", async () => {
  const { page, bill } = await at();
  const second = await page.context().newPage();
  await second.goto(bill.url);
  assert.equal(await pay(page, APPROVED), 303);
  await type(second, APPROVED);
  assert.equal(await press(second, "pay"), 409);
  assert.match(await text(second), /paid already/i);
  await isPaidOnce(bill);
  await leave(page);
});

test("a button that is pressed twice charges once", async () => {
  const { page, bill } = await at();
  await type(page, APPROVED);
  await button(page, "pay").dblclick();
  await page.waitForURL(`${shop.url}/**`);
  isBack(page, bill, "completed");
  await isPaidOnce(bill);
  await leave(page);
});

test("the keyboard alone pays", async () => {
  const { page, bill } = await at();
  for (const [token, typed] of [
    ["cc-number", APPROVED],
    ["cc-exp", "1234"],
    ["cc-csc", "123"],
  ]) {
    await tabTo(page, `input[autocomplete~="${token}"]`);
    await page.keyboard.type(typed);
  }
  await tabTo(page, 'button[name="action"][value="pay"]');
  await page.keyboard.press("Enter");
  await page.waitForURL(`${shop.url}/**`);
  isBack(page, bill, "completed");
  await isPaidOnce(bill);
  await leave(page);
});

test("a phone: large enough to touch, light enough to load", async () => {
  const phone = { viewport: { width: 320, height: 640 }, hasTouch: true };
  const { page, bill } = await at({}, phone);
  const box = await button(page, "pay").boundingBox();
  assert.ok(box.height >= 44, `the button is ${box.height} px high`);
  const size = (element) => Number.parseFloat(getComputedStyle(element).fontSize);
  assert.ok((await field(page, "cc-number").evaluate(size)) >= 16, "no zoom on focus");
  const sizes = [];
  page.on("response", (answer) => sizes.push(answer.body().then((body) => body.length, () => 0)));
  await page.goto(bill.url, { waitUntil: "networkidle" });
  const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  assert.ok(bytes <= 50 * 1024, `${bytes} bytes`);
  await leave(page);
});

test("an endpoint is paused, says why its deliveries wait, and is resumed", async () => {
  const name = `Stock ${Date.now()}`;
  const added = await florin("webhooks", "endpoints", "add", `${shop.url}/stock`, "--label", name);
  const id = added.match(/end_[0-9a-f]+/)[0];
  const page = await visitor(browser, [base], { javaScriptEnabled: false });
  const row = page.locator(`#${id}`);
  await page.goto(`${base}/sandbox/endpoints`);
  await row.getByRole("button", { name: `Pause: ${name}` }).click();
  assert.match(await row.innerText(), /paused/i);
  assert.match(await row.innerText(), /somebody paused it on \d/i);
  await merchant.create();
  await page.goto(`${base}/sandbox/deliveries`);
  const waits = page.locator("article").filter({ hasText: "bill.created" }).first();
  assert.match(await waits.innerText(), /somebody paused its endpoint/i);
  const skipped = `#${await waits.getAttribute("id")}`;
  await waits.getByRole("button", { name: /^skip/i }).click();
  assert.match(await page.locator(skipped).innerText(), /somebody skipped it/i);
  assert.equal(await page.locator(skipped).getByRole("button", { name: /^skip/i }).count(), 0);
  await page.goto(`${base}/sandbox/endpoints`);
  await row.getByRole("button", { name: `Resume: ${name}` }).click();
  assert.match(await row.innerText(), /active/i);
  await row.getByRole("button", { name: `Send a test event: ${name}` }).click();
  await until("the test event", async () => {
    await page.goto(`${base}/sandbox/deliveries`);
    const tested = page.locator("article").filter({ hasText: "endpoint.tested" }).first();
    return (await tested.count()) && /your server took it/i.test(await tested.innerText());
  });
  await florin("webhooks", "endpoints", "remove", id);
  await leave(page);
});

test("the sandbox's clock is moved on the home page", async () => {
  const page = await visitor(browser, [base]);
  await page.goto(base);
  const clock = page.locator("section").filter({ has: page.locator("#clock") });
  const shown = async () => Date.parse(await clock.locator("time").getAttribute("datetime"));
  const before = await shown();
  await clock.getByLabel("Move forward by").fill("backwards");
  await clock.getByRole("button").click();
  assert.match(await clock.innerText(), /type whole numbers/i);
  await sound(page, "home-clock-problem");
  assert.equal(await clock.getByLabel("Move forward by").inputValue(), "backwards");
  await clock.getByLabel("Move forward by").fill("1h30m");
  await Promise.all([page.waitForURL(/#clock$/), clock.getByRole("button").click()]);
  const moved = (await shown()) - before;
  assert.ok(moved >= 5_400_000 && moved < 5_520_000, `${moved} ms`);
  assert.match(await clock.innerText(), /1 h 30 min/);
  await leave(page);
});

/** Every page: how to get there with a fresh visitor. What is given back cleans up. */
const PAGES = {
  home: (page) => page.goto(base),
  checkout: async (page) => page.goto((await merchant.create()).url),
  methods: async (page) => {
    const methods = ["card", "paynow_online", "grabpay_direct"];
    await page.goto((await merchant.create({ payment_methods: methods })).url);
    assert.ok((await button(page, "choose").count()) >= 2, "a choice of methods");
  },
  declined: async (page) => {
    await page.goto((await merchant.create()).url);
    await pay(page, DECLINED);
  },
  "challenge-page": async (page) => {
    await page.goto((await merchant.create()).url);
    await pay(page, CHALLENGED);
    assert.equal(await button(page, "approve").count(), 1);
  },
  receipt: async (page) => {
    await page.goto((await merchant.create({ redirect_url: undefined })).url);
    await pay(page, APPROVED);
    assert.match(await text(page), /receipt/i);
  },
  paid: async (page) => {
    const bill = await merchant.create();
    await merchant.simulate(bill.id, "approve");
    await page.goto(bill.url);
    assert.match(await text(page), /paid/i);
  },
  expired: async (page) => {
    const bill = await merchant.create();
    await merchant.simulate(bill.id, "expire");
    await page.goto(bill.url);
    assert.match(await text(page), /over|expired/i);
  },
  missing: async (page) => {
    const { id, url } = await merchant.create();
    const nobody = "00000000-0000-4000-8000-000000000000";
    const answer = await page.goto(url.replace(id, nobody));
    assert.equal(answer.status(), 404);
  },
  long: async (page) => {
    const purpose = "Ein außerordentlich langer Zweck 付款 دفع ".repeat(5).slice(0, 200);
    await page.goto((await merchant.create({ amount: "999999999.99", purpose })).url);
  },
  "zero-decimals": async (page) => {
    const bill = await merchant.create({ amount: "5000", currency: "JPY" });
    await page.goto(bill.url);
    assert.match(await text(page), /5,?000(?!\.)/);
  },
  docs: (page) => page.goto(`${base}/docs`),
  "docs-hitpay": (page) => page.goto(`${base}/docs/hitpay`),
  deliveries: (page) => page.goto(`${base}/sandbox/deliveries`),
  endpoints: async (page) => {
    const add = async (...what) => {
      const added = await florin("webhooks", "endpoints", "add", ...what);
      return added.match(/end_[0-9a-f]+/)[0];
    };
    const url = `${shop.url}/a/rather/long/address/of/a/shop/that/sells/tea/in/many/places`;
    const stock = await add(url, "--label", "stock");
    const books = await add(`${shop.url}/books`, "--events", "bill.*");
    await florin("webhooks", "endpoints", "pause", books);
    await page.goto(`${base}/sandbox/endpoints`);
    assert.match(await text(page), /stock/);
    // They hear of everything that the tests after this one do.
    return async () => {
      for (const id of [stock, books]) await florin("webhooks", "endpoints", "remove", id);
    };
  },
};

for (const colorScheme of ["light", "dark"]) {
  for (const width of [320, 1280]) {
    for (const [name, open] of Object.entries(PAGES)) {
      const full = `${name}-${colorScheme}-${width}`;
      test(`page ${full}`, async () => {
        const options = { colorScheme, viewport: { width, height: 900 } };
        const page = await visitor(browser, [base, shop.url], options);
        const tidy = await open(page);
        await sound(page, full);
        await leave(page);
        if (typeof tidy === "function") await tidy();
      });
    }
  }
}

phoneTests(test, { browser, settings, shop });
cashierTests(test, { browser, settings, shop });
webhookTests(test, { browser, settings, shop });
giftTests(test, { browser, settings, shop });

if (process.env.SHOTS) {
  test("the picture for the README", async () => {
    const fields = { amount: "499.00", purpose: "Order 1042", name: "A Payer" };
    const { page } = await at(fields, { deviceScaleFactor: 2 });
    await page.screenshot({ path: `${process.env.SHOTS}/checkout.png` });
    await leave(page);
  });
}

let passed = 0;
let failed = 0;
for (const { name, run } of tests.filter((t) => t.name.includes(process.env.ONLY ?? ""))) {
  try {
    await run();
    passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}\n  ${error.stack ?? error}`);
  }
}
await browser.close();
shop.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
