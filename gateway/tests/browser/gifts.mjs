// Pays with gift cards: the page of iGivePay with two cards and a bank card for the rest, with
// script and without, on a phone and at a till, by day and by night; the card generator.

import assert from "node:assert/strict";
import { button, field, leave, pay, press, sound, tabTo, visitor } from "./page.mjs";

const APPROVED = "4242424242424242";
const DECLINED = "4000000000000002";
const CHALLENGED = "4000002760003184";
const NARROW = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

/** The calls of a client of iGivePay. */
class Client {
  constructor(settings) {
    this.base = settings.base_url;
    this.keys = settings.igivepay;
  }

  async call(method, path, body) {
    const { client_id, client_secret } = this.keys;
    const answer = await fetch(this.base + path, {
      method,
      headers: {
        "x-client-id": client_id,
        "x-client-secret": client_secret,
        "Content-Type": "application/json",
      },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }

  card(amount, more) {
    return this.call("POST", "/sandbox/gift-cards", { amount, ...more });
  }

  verify(payment) {
    return this.call("GET", `/api/v1/payments/${payment}`);
  }

  async left(card) {
    return (await this.call("GET", `/api/v1/giftcards/balance/${card.card_number}`)).amount;
  }
}

/** All tests of these pages; `test` takes a name and a function. */
export function giftTests(test, { browser, settings, shop }) {
  const client = new Client(settings);
  const base = settings.base_url;
  const text = async (page) => (await page.locator("main").innerText()).replaceAll("\u00a0", " ");

  /** A visitor on the page of a new payment. */
  async function at(fields, options) {
    const payment = await client.call("POST", "/api/v1/payments", {
      paymentTotal: 499,
      reference: "order-1001",
      redirectUrl: `${shop.url}/back`,
      ...fields,
    });
    const page = await visitor(browser, [base, shop.url], options);
    assert.equal((await page.goto(payment.url)).status(), 200);
    return { page, payment };
  }

  async function add(page, card) {
    await page.locator('input[name="card_number"]').fill(card.card_number);
    await page.locator('input[name="cvc"]').fill(card.cvc);
    return press(page, "add-card");
  }

  function isBack(page, payment, status) {
    const url = new URL(page.url());
    assert.equal(url.origin, shop.url, `still at ${url}`);
    assert.equal(url.searchParams.get("paymentId"), payment.paymentId);
    assert.equal(url.searchParams.get("status"), status);
  }

  const choose = async (page, method) => {
    const form = page.locator("form", { has: page.locator(`input[value="${method}"]`) });
    await Promise.all([page.waitForNavigation(), form.locator('[value="choose"]').click()]);
  };

  /** Without script axe cannot look; the page is the same. */
  const look = (page, name, script) => (script === false ? null : sound(page, name));

  /** Two gift cards, one of them removed and added again, and a bank card for the rest. */
  async function twoCardsAndTheRest(page, payment, name, script) {
    const [one, two] = [await client.card("200.00"), await client.card("150.00")];
    assert.doesNotMatch(await text(page), /on the card/i, "no balance before a code");
    await look(page, `${name}-empty`, script);
    const wrong = { ...one, cvc: one.cvc === "000" ? "001" : "000" };
    assert.equal(await add(page, wrong), 422);
    assert.doesNotMatch(await text(page), /200/, "a wrong code shows no balance");
    assert.equal(await page.locator('input[name="cvc"]').inputValue(), "", "a code never stays");
    await look(page, `${name}-wrong`, script);
    assert.equal(await add(page, one), 303);
    assert.match(await text(page), /NOK 200\.00 on the card/);
    assert.match(await text(page), /NOK 299\.00/);
    assert.equal(await add(page, two), 303);
    assert.match(await text(page), /NOK 149\.00/);
    assert.equal(await client.left(one), 0, "what is on the page is held");
    assert.equal(await press(page, "remove-card"), 303);
    assert.equal(await client.left(one), 200, "what is removed is free");
    assert.equal(await add(page, one), 303);
    await look(page, `${name}-two-cards`, script);
    await choose(page, "card");
    assert.match(await button(page, "pay").innerText(), /149\.00/, "the button says the rest");
    await look(page, `${name}-rest`, script);
    assert.equal(await pay(page, DECLINED), 422);
    assert.match(await text(page), /declined/i);
    assert.equal((await client.verify(payment.paymentId)).status, "pending");
    assert.equal(await pay(page, CHALLENGED), 303);
    assert.match(await text(page), /149\.00/, "the bank is asked for the rest");
    assert.equal(await press(page, "approve"), 303);
    isBack(page, payment, "charged");
    const told = await client.verify(payment.paymentId);
    assert.equal(told.paidAmount, 499);
    assert.deepEqual(
      told.cards.map((card) => card.deductedAmount).sort(),
      [149, 150, 200],
    );
    assert.ok(told.cards.some((card) => card.cardNumber.endsWith(one.card_number.slice(-5))));
    assert.equal((await client.left(one)) + (await client.left(two)), 0);
    await page.goto(payment.url);
    assert.match(await text(page), /paid/i);
    await look(page, `${name}-paid`, script);
  }

  test("gift cards: two of them and a bank card for the rest", async () => {
    const { page, payment } = await at();
    await twoCardsAndTheRest(page, payment, "gifts");
    await leave(page);
  });

  test("gift cards: the same without script", async () => {
    const { page, payment } = await at({}, { javaScriptEnabled: false });
    await twoCardsAndTheRest(page, payment, "gifts-no-script", false);
    await leave(page);
  });

  test("gift cards: the same on a phone by night", async () => {
    const { page, payment } = await at({}, { ...NARROW, colorScheme: "dark" });
    await twoCardsAndTheRest(page, payment, "gifts-narrow-dark");
    await leave(page);
  });

  test("gift cards: a part is paid, and the shop takes the rest", async () => {
    const { page, payment } = await at();
    const card = await client.card("100.00");
    assert.equal(await add(page, card), 303);
    assert.match(await text(page), /NOK 399\.00/);
    assert.match(await button(page, "pay").innerText(), /100\.00/);
    assert.equal(await press(page, "pay"), 303);
    isBack(page, payment, "charged");
    const told = await client.verify(payment.paymentId);
    assert.deepEqual([told.paidAmount, told.remainingAmount], [100, 399]);
    await leave(page);
  });

  test("gift cards: cancelling gives everything back", async () => {
    const { page, payment } = await at();
    const card = await client.card("100.00");
    await add(page, card);
    assert.equal(await press(page, "cancel"), 303);
    isBack(page, payment, "aborted");
    assert.equal(await client.left(card), 100);
    await page.goto(payment.url);
    await sound(page, "gifts-aborted");
    await leave(page);
  });

  test("gift cards: with the keyboard alone", async () => {
    const { page, payment } = await at({ paymentTotal: 60 });
    const card = await client.card("60.00");
    await tabTo(page, 'input[name="card_number"]');
    await page.keyboard.type(card.card_number);
    await tabTo(page, 'input[name="cvc"]');
    await page.keyboard.type(card.cvc);
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    assert.match(await text(page), /NOK 60\.00/);
    await tabTo(page, 'button[value="pay"]');
    await Promise.all([page.waitForURL(`${shop.url}/**`), page.keyboard.press("Enter")]);
    isBack(page, payment, "charged");
    await leave(page);
  });

  test("gift cards: a till scans and needs no shop to go back to", async () => {
    const { page, payment } = await at({ accessMode: "webui", redirectUrl: undefined });
    const card = await client.card("499.00");
    await page.locator('input[name="card_number"]').fill(card.card_number);
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    assert.match(await text(page), /code/i, "a scanner's Enter asks for the code");
    assert.equal(await add(page, card), 303);
    assert.equal(await press(page, "pay"), 303);
    assert.match(await text(page), /paid/i);
    assert.equal((await client.verify(payment.paymentId)).status, "charged");
    await sound(page, "gifts-till-paid");
    await leave(page);
  });

  test("gift cards: a HitPay request by gift card and bank card", async () => {
    const answer = await fetch(`${base}/v1/payment-requests`, {
      method: "POST",
      headers: { "X-BUSINESS-API-KEY": settings.hitpay.api_key },
      body: new URLSearchParams({ amount: "25.00", currency: "SGD" }),
    });
    const bill = await answer.json();
    const card = await client.card("20.00", { currency: "SGD" });
    const page = await visitor(browser, [base]);
    await page.goto(bill.url);
    await choose(page, "gift_card");
    assert.equal(await add(page, card), 303);
    await choose(page, "card");
    assert.match(await button(page, "pay").innerText(), /5\.00/);
    await sound(page, "gifts-hitpay-rest");
    assert.equal(await field(page, "cc-number").count(), 1);
    assert.equal(await pay(page, APPROVED), 303);
    assert.match(await text(page), /Gift card ending in/);
    await sound(page, "gifts-hitpay-receipt");
    await leave(page);
  });

  test("gift cards: a Numipay deposit by gift card and bank card", async () => {
    const answer = await fetch(`${base}/gateway/v1/payments/hosted`, {
      method: "POST",
      headers: { "X-Api-Key": settings.numipay.api_key, "Content-Type": "application/json" },
      body: JSON.stringify({
        request: {
          user_id: "u-1",
          tracking_id: `gift ${Date.now()}`,
          currency: "EUR",
          amount: "200.00",
          return_url: `${shop.url}/back`,
          notification_url: `${shop.url}/hook`,
        },
      }),
    });
    const made = await answer.json();
    const card = await client.card("120.00", { currency: "EUR" });
    const page = await visitor(browser, [base, shop.url]);
    await page.goto(made.url);
    await choose(page, "gift_card");
    assert.equal(await add(page, card), 303);
    await sound(page, "gifts-cashier");
    await choose(page, "sim-card");
    assert.match(await button(page, "pay").innerText(), /80\.00/);
    await sound(page, "gifts-cashier-rest");
    assert.equal(await pay(page, APPROVED), 303);
    assert.equal(new URL(page.url()).searchParams.get("status"), "successful");
    await leave(page);
  });

  for (const [name, options] of [
    ["wide-light", {}],
    ["narrow-dark", { ...NARROW, colorScheme: "dark" }],
    ["no-script", { javaScriptEnabled: false }],
  ]) {
    test(`gift cards: the card generator, ${name}`, async () => {
      const page = await visitor(browser, [base], options);
      await page.goto(`${base}/card-gen`);
      await look(page, `card-gen-${name}`, options.javaScriptEnabled);
      await page.locator('input[name="amount"]').fill("12000");
      assert.equal(await press(page, "continue"), 400);
      await look(page, `card-gen-problem-${name}`, options.javaScriptEnabled);
      await page.locator('input[name="amount"]').fill("123.45");
      await page.locator('input[name="count"]').fill("3");
      assert.equal(await press(page, "continue"), 200);
      assert.equal((await text(page)).match(/NOK 123\.45/g).length, 3);
      await look(page, `card-gen-made-${name}`, options.javaScriptEnabled);
      await leave(page);
    });
  }
}
