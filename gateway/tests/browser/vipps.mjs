// Pays with a phone: the landing page, the request on the phone, the way back to the shop.

import assert from "node:assert/strict";
import { field, leave, press, sound, visitor } from "./page.mjs";

/** The calls of a merchant of Vipps MobilePay. */
export class PhoneMerchant {
  constructor(settings) {
    this.base = settings.base_url;
    this.keys = settings.vipps;
    this.count = 0;
  }

  async call(method, path, body) {
    const { client_id, client_secret, subscription_key, merchant_serial_number } = this.keys;
    const key = { "Ocp-Apim-Subscription-Key": subscription_key };
    const got = await fetch(`${this.base}/accesstoken/get`, {
      method: "POST",
      headers: { client_id, client_secret, ...key },
    });
    const { access_token } = await got.json();
    this.count += 1;
    const answer = await fetch(this.base + path, {
      method,
      headers: {
        ...key,
        Authorization: `Bearer ${access_token}`,
        "Merchant-Serial-Number": merchant_serial_number,
        "Idempotency-Key": `browser ${this.count}`,
        "Content-Type": "application/json",
      },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }

  async create(fields) {
    const reference = `browser-${Date.now()}-${this.count}`;
    const terms = {
      amount: { currency: "NOK", value: 49900 },
      paymentMethod: { type: "WALLET" },
      userFlow: "WEB_REDIRECT",
      customer: { phoneNumber: "4791234567" },
      paymentDescription: "A pot of tea and two cups",
      reference,
      ...fields,
    };
    return this.call("POST", "/epayment/v1/payments", terms);
  }

  async state(reference) {
    return (await this.call("GET", `/epayment/v1/payments/${reference}`)).state;
  }
}

const NARROW = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

/** All tests of these pages; `test` takes a name and a function. */
export function phoneTests(test, { browser, settings, shop }) {
  const merchant = new PhoneMerchant(settings);
  const base = settings.base_url;
  const back = `${shop.url}/back?order=8&x=a%20b`;
  const text = (page) => page.locator("main").innerText();
  const looks = [
    ["wide", {}],
    ["narrow", NARROW],
    ["dark", { colorScheme: "dark" }],
    ["narrow-dark", { ...NARROW, colorScheme: "dark" }],
    ["without script", { javaScriptEnabled: false }],
  ];

  for (const [look, options] of looks) {
    test(`phone: landing page, decline, approve, ${look}`, async () => {
      const made = await merchant.create({ returnUrl: back });
      const page = await visitor(browser, [base, shop.url], options);
      const check = (name) =>
        options.javaScriptEnabled === false ? null : sound(page, `${name}-${look}`);
      await page.goto(made.redirectUrl);
      assert.match(await text(page), /NOK.499\.00/);
      assert.equal(await field(page, "tel").inputValue(), "4791234567");
      await check("landing");
      await field(page, "tel").fill("12");
      assert.equal(await press(page, "continue"), 422);
      await check("landing-wrong");
      await field(page, "tel").fill("+47 912 34 567");
      assert.equal(await press(page, "continue"), 303);
      await check("phone");
      await page.locator("details summary").click();
      await page.locator("select").selectOption("insufficient_funds");
      assert.equal(await press(page, "decline"), 422, "the request stays open");
      assert.match(await text(page), /insufficient funds/i);
      assert.match(await text(page), /nothing was charged/i);
      await check("phone-declined");
      assert.equal(await merchant.state(made.reference), "CREATED");
      assert.equal(await press(page, "approve"), 303);
      assert.equal(page.url(), back, "unchanged");
      assert.equal(await merchant.state(made.reference), "AUTHORIZED");
      await page.goto(made.redirectUrl);
      assert.match(await text(page), /approved/i);
      await check("landing-approved");
      await leave(page);
    });
  }

  test("phone: an Express payment with a choice of delivery", async () => {
    const option = (id, name, value, isDefault) => ({
      id,
      name,
      isDefault,
      amount: { currency: "NOK", value },
    });
    const made = await merchant.create({
      returnUrl: back,
      profile: { scope: "name address email phoneNumber" },
      shipping: {
        fixedOptions: [
          { brand: "POSTEN", isDefault: true, options: [option("home", "To your door", 9900, true)] },
          { brand: "POSTEN", options: [option("kiosk", "At the kiosk", 3900, true)] },
        ],
      },
    });
    const page = await visitor(browser, [base, shop.url], NARROW);
    await page.goto(made.redirectUrl);
    assert.equal(await press(page, "continue"), 303);
    await sound(page, "phone-express");
    assert.ok(await page.getByRole("radio", { name: /to your door/i }).isChecked());
    await page.getByRole("radio", { name: /at the kiosk: NOK.39\.00, NOK.538\.00/i }).check();
    assert.equal(await press(page, "approve"), 303);
    const paid = await merchant.call("GET", `/epayment/v1/payments/${made.reference}`);
    assert.equal(paid.aggregate.authorizedAmount.value, 53800);
    assert.equal(paid.shippingDetails.shippingOptionId, "kiosk");
    await leave(page);
  });

  test("phone: cancelled on the landing page", async () => {
    const made = await merchant.create({ returnUrl: back });
    const page = await visitor(browser, [base, shop.url], NARROW);
    await page.goto(made.redirectUrl);
    assert.equal(await press(page, "cancel"), 303);
    assert.equal(page.url(), back);
    assert.equal(await merchant.state(made.reference), "ABORTED");
    await leave(page);
  });

  for (const [look, options] of looks.slice(0, 4)) {
    test(`phone: a push message in the inbox, ${look}`, async () => {
      const number = `47${Date.now()}`.slice(0, 12);
      const made = await merchant.create({
        userFlow: "PUSH_MESSAGE",
        customer: { phoneNumber: number },
      });
      assert.equal(made.redirectUrl, undefined);
      const page = await visitor(browser, [base], options);
      await page.goto(`${base}/sandbox/phone`);
      await sound(page, `phones-${look}`);
      await field(page, "tel").fill(number);
      assert.equal(await press(page, "continue"), 303);
      await sound(page, `inbox-${look}`);
      assert.equal(await press(page, "leave"), 303);
      assert.equal(await merchant.state(made.reference), "CREATED");
      assert.equal(await press(page, "abort"), 303);
      assert.match(await text(page), /rejected/i);
      assert.equal(await merchant.state(made.reference), "ABORTED");
      await sound(page, `inbox-past-${look}`);
      await leave(page);
    });
  }
}
