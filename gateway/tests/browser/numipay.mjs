// Deposits and withdrawals on the cashier: cards with the bank's page, wallets, payouts with
// approval, all the pages of them.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { button, field, leave, pay, press, sound, tabTo, visitor } from "./page.mjs";
import { until } from "./sandbox.mjs";

const APPROVED = "4111111111111111";
const DECLINED = "4000000000009995";
const CHALLENGED = "4000000000003220";
const V1 = "/gateway/v1";

/** The calls of a merchant of Numipay. */
export class CashierMerchant {
  constructor(settings, shop) {
    this.base = settings.base_url;
    this.keys = settings.numipay;
    this.shop = shop;
    this.count = 0;
  }

  async call(method, path, body) {
    const answer = await fetch(this.base + path, {
      method,
      headers: { "X-Api-Key": this.keys.api_key, "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }

  /** Begins a deposit or a payout; its answer with its own id. */
  async begin(path, fields = {}) {
    this.count += 1;
    const tracking_id = `browser-${Date.now()}-${this.count}`;
    const request = {
      user_id: "1111222",
      tracking_id,
      currency: "EUR",
      amount: "200.00",
      description: "Order 1042, a pot of tea",
      return_url: `${this.shop.url}/back?order=8`,
      notification_url: `${this.shop.url}/hook`,
      ...fields,
    };
    return { ...(await this.call("POST", V1 + path, { request })), tracking_id };
  }

  /** The same with card data in the call. */
  direct(number) {
    return this.begin("/payments/s2s", {
      ip: "203.0.113.7",
      customer: { email: "ana@example.com" },
      credit_card: {
        number,
        holder: "Ana Ruiz",
        exp_month: "12",
        exp_year: "2034",
        verification_value: "123",
      },
    });
  }

  async status(id) {
    return (await this.call("GET", `${V1}/transactions/${id}`)).transaction_status;
  }

  simulate(payment, outcome) {
    return this.call("POST", "/sandbox/simulate", { payment, outcome });
  }

  /** Money to pay out. */
  async fill(amount) {
    const { transaction_id } = await this.begin("/payments/hosted", { amount });
    await this.simulate(transaction_id, "approve");
  }

  /** The status words of the webhooks about a transaction, once there are so many; each is
   *  genuine, checked as the reference document's own sample does it. */
  async told(id, count) {
    const got = await until(`${count} webhooks of ${id}`, () => {
      const of = this.shop.raw.filter(({ body }) => body.includes(id));
      return of.length >= count && of;
    });
    return got.map(({ headers, body }) => {
      const data = JSON.parse(body);
      const hash = createHash("sha1");
      hash.update(JSON.stringify(data) + this.keys.signature_password, "utf8");
      assert.equal(hash.digest("hex").toUpperCase(), headers["x-signature"]);
      return data.status;
    });
  }
}

const NARROW = { viewport: { width: 320, height: 640 }, hasTouch: true };

/** All tests of these pages; `test` takes a name and a function. */
export function cashierTests(test, { browser, settings, shop }) {
  const merchant = new CashierMerchant(settings, shop);
  const base = settings.base_url;
  const text = (page) => page.locator("main").innerText();
  const looks = [
    ["wide", {}],
    ["narrow", NARROW],
    ["dark", { colorScheme: "dark" }],
    ["narrow-dark", { ...NARROW, colorScheme: "dark" }],
    ["without script", { javaScriptEnabled: false }],
  ];
  const visit = (options) => visitor(browser, [base, shop.url], options);

  /** The browser is back at the shop, with the arguments of the contract. */
  const isBack = (page, made, status) => {
    const url = new URL(page.url());
    assert.equal(url.origin, shop.url, `still at ${url}`);
    assert.equal(url.searchParams.get("order"), "8", "the shop's own argument stays");
    assert.equal(url.searchParams.get("tracking_id"), made.tracking_id);
    assert.equal(url.searchParams.get("transaction_id"), made.transaction_id);
    assert.equal(url.searchParams.get("status"), status);
  };

  /** A provider from the list, by its id. */
  const choose = async (page, id) => {
    const form = page.locator("form").filter({ has: page.locator(`input[value="${id}"]`) });
    await Promise.all([page.waitForURL(/provider=/), form.getByRole("button").click()]);
  };

  for (const [look, options] of looks) {
    const check = (page, name) =>
      options.javaScriptEnabled === false ? null : sound(page, `${name}-${look}`);

    test(`cashier: a deposit with 3-D Secure after a decline, ${look}`, async () => {
      const made = await merchant.begin("/payments/hosted");
      const page = await visit(options);
      await page.goto(made.url);
      assert.match(await text(page), /EUR.200\.00/);
      assert.match(await text(page), /Order 1042/);
      await check(page, "cashier");
      await choose(page, "sim-card");
      await check(page, "cashier-card");
      assert.equal(await pay(page, "4111111111111112"), 422);
      await check(page, "cashier-card-wrong");
      assert.equal(await pay(page, DECLINED), 422);
      assert.match(await text(page), /not enough funds/i);
      await check(page, "cashier-card-declined");
      assert.equal(await pay(page, CHALLENGED), 303);
      assert.match(page.url(), /\/3ds\//);
      assert.match(await text(page), /3220/);
      await check(page, "cashier-3ds");
      assert.equal(await merchant.status(made.transaction_id), "pending");
      assert.equal(await press(page, "approve"), 303);
      isBack(page, made, "successful");
      assert.equal(await merchant.status(made.tracking_id), "successful");
      assert.deepEqual(await merchant.told(made.transaction_id, 2), ["pending", "successful"]);
      await page.goto(made.url);
      assert.match(await text(page), /paid already/i);
      await check(page, "cashier-paid");
      await leave(page);
    });

    test(`cashier: a withdrawal from its request to the money, ${look}`, async () => {
      await merchant.fill("500.00");
      const made = await merchant.begin("/payouts", { description: "Winnings of November" });
      const page = await visit(options);
      await page.goto(made.url);
      assert.match(await text(page), /where should the money go/i);
      await check(page, "withdrawal");
      await choose(page, "sim-bank");
      assert.match(await text(page), /Bank transfer \(simulated\)/);
      await check(page, "withdrawal-bank");
      assert.equal(await press(page, "approve"), 303);
      isBack(page, made, "pending");
      await page.goto(made.url);
      assert.match(await text(page), /being checked/i);
      await check(page, "withdrawal-waiting");
      // The merchant's side.
      await page.goto(`${base}/sandbox/payouts`);
      const row = page.locator("article").filter({ hasText: made.tracking_id });
      assert.match(await row.innerText(), /waits for you/i);
      await check(page, "payouts");
      await row.getByRole("button", { name: "Approve: EUR 200.00" }).click();
      assert.match(await row.innerText(), /on its way|paid out/i);
      await until("the money", async () => {
        return (await merchant.status(made.transaction_id)) === "successful";
      });
      assert.deepEqual(await merchant.told(made.transaction_id, 2), ["pending", "successful"]);
      await page.goto(made.url);
      assert.match(await text(page), /your money was sent/i);
      await check(page, "withdrawal-sent");
      await leave(page);
    });

    test(`cashier: a wallet, and a card in the call, ${look}`, async () => {
      const wallet = await merchant.begin("/payments/direct", { provider_id: "sim-wallet" });
      const page = await visit(options);
      await page.goto(wallet.url);
      assert.match(await text(page), /Wallet \(simulated\)/, "straight to the provider");
      await check(page, "wallet");
      await page.getByLabel(/reason/i).fill("Kein Guthaben 余额不足");
      assert.equal(await press(page, "decline"), 303);
      isBack(page, wallet, "rejected");
      const after = await merchant.call("GET", `${V1}/transactions/${wallet.tracking_id}`);
      assert.equal(after.rejected_reason, "Kein Guthaben 余额不足");
      await page.goto(wallet.url);
      await check(page, "wallet-rejected");
      const made = await merchant.direct(CHALLENGED);
      assert.equal(made.transaction_status, "pending");
      await page.goto(made.url);
      await check(page, "s2s-3ds");
      assert.equal(await press(page, "leave"), 303);
      isBack(page, made, "pending");
      await page.goto(made.url);
      assert.equal(await press(page, "decline"), 303);
      isBack(page, made, "rejected");
      assert.equal(await merchant.status(made.transaction_id), "rejected");
      assert.equal((await merchant.direct(APPROVED)).url, "", "no page without 3-D Secure");
      await leave(page);
    });
  }

  test("cashier: leaving changes nothing, cancelling ends it", async () => {
    const made = await merchant.begin("/payments/hosted");
    const page = await visit();
    await page.goto(made.url);
    await page.locator("a.quiet").click();
    await page.waitForURL(`${shop.url}/**`);
    isBack(page, made, "pending");
    assert.equal(await merchant.status(made.transaction_id), "pending");
    await page.goto(made.url);
    assert.equal(await press(page, "cancel"), 303);
    isBack(page, made, "rejected");
    assert.equal(await merchant.status(made.transaction_id), "rejected");
    await leave(page);
  });

  test("cashier: the keyboard alone chooses and pays", async () => {
    const made = await merchant.begin("/payments/hosted");
    const page = await visit();
    await page.goto(made.url);
    await tabTo(page, 'button[name="action"][value="choose"]');
    await Promise.all([page.waitForURL(/provider=sim-card/), page.keyboard.press("Enter")]);
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
    isBack(page, made, "successful");
    await leave(page);
  });

  test("cashier: large enough to touch", async () => {
    const made = await merchant.begin("/payments/hosted");
    const page = await visit(NARROW);
    await page.goto(made.url);
    for (const one of await page.locator("main button, main a").all()) {
      const box = await one.boundingBox();
      assert.ok(box.height >= 44, `${await one.innerText()}: ${box.height} px high`);
    }
    await choose(page, "sim-card");
    assert.ok((await button(page, "pay").boundingBox()).height >= 44);
    const size = (element) => Number.parseFloat(getComputedStyle(element).fontSize);
    assert.ok((await field(page, "cc-number").evaluate(size)) >= 16, "no zoom on focus");
    await leave(page);
  });
}
