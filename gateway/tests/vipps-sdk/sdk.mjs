// The whole surface of the official client that concerns us, in the order in which a shop uses it:
// token, registrations, create, info, history, capture, refund, cancel, force approve, errors.

import assert from "node:assert/strict";
import { createHmac, createHash, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import { Client } from "@vippsmobilepay/sdk";

const settings = JSON.parse(await readFile(`${process.env.FLORIN_DATA}/sandbox.json`, "utf8"));
const { client_id, client_secret, subscription_key, merchant_serial_number } = settings.vipps;

const client = Client({
  merchantSerialNumber: merchant_serial_number,
  subscriptionKey: subscription_key,
  useTestMode: true,
  retryRequests: true,
  systemName: "acme",
});

/** The data of an answer that must be good. */
const good = (answer) => {
  assert.ok(answer.ok, JSON.stringify(answer));
  return answer.data;
};

/** The error of an answer that must not be. */
const bad = (answer) => {
  assert.equal(answer.ok, false, JSON.stringify(answer));
  return answer.error;
};

let passed = 0;
async function test(name, run) {
  try {
    await run();
    passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    console.log(`FAIL  ${name}\n  ${error.stack ?? error}`);
    process.exitCode = 1;
  }
}

const token = good(await client.auth.getToken(client_id, client_secret)).access_token;

/** What a receiver gets; it answers 202 as the official plugin does. */
const heard = [];
const receiver = createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  heard.push({ headers: request.headers, url: request.url, body });
  response.writeHead(202).end();
  receiver.emit("heard");
});
receiver.listen(0, "127.0.0.1");
await once(receiver, "listening");
const hook = `http://127.0.0.1:${receiver.address().port}/hook?shop=1`;

const deadline = AbortSignal.timeout(30_000);
async function hears(name, reference) {
  const fits = ({ body }) => body.includes(`"${name}"`) && body.includes(reference);
  while (!heard.some(fits)) await once(receiver, "heard", { signal: deadline });
  return heard.find(fits);
}

const terms = (reference, more = {}) => ({
  amount: { currency: "NOK", value: 49900 },
  paymentMethod: { type: "WALLET" },
  customer: { phoneNumber: "4791234567" },
  returnUrl: "https://shop.example/back",
  userFlow: "WEB_REDIRECT",
  paymentDescription: "One pair of socks",
  reference,
  ...more,
});
const amount = (value) => ({ modificationAmount: { currency: "NOK", value } });
const sums = ({ aggregate }) => [
  aggregate.authorizedAmount.value,
  aggregate.cancelledAmount.value,
  aggregate.capturedAmount.value,
  aggregate.refundedAmount.value,
];

await test("auth.getToken: a token that says when it ends, and an error with a description", async () => {
  const claims = JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
  assert.ok(claims.exp > Date.now() / 1000 + 3000);
  const error = bad(await client.auth.getToken(client_id, "wrong"));
  assert.match(JSON.stringify(error), /client_secret|invalid_client/);
});

const events = ["created", "authorized", "captured", "refunded", "cancelled", "aborted"].map(
  (name) => `epayments.payment.${name}.v1`,
);
let registration;
await test("webhook.register, list", async () => {
  registration = good(await client.webhook.register(token, { url: hook, events }));
  assert.equal(registration.secret.length, 88);
  const { webhooks } = good(await client.webhook.list(token));
  assert.deepEqual(webhooks, [{ id: registration.id, url: hook, events }]);
});

const reference = `sdk-${randomUUID()}`;
await test("payment.create, info, history, forceApprove", async () => {
  const made = good(await client.payment.create(token, terms(reference)));
  assert.equal(made.reference, reference);
  assert.ok(new URL(made.redirectUrl).searchParams.get("token"));
  assert.equal(good(await client.payment.info(token, reference)).state, "CREATED");
  const customer = { phoneNumber: "4791234567" };
  good(await client.payment.forceApprove(token, reference, { customer }));
  const after = good(await client.payment.info(token, reference));
  assert.equal(after.state, "AUTHORIZED");
  assert.deepEqual(sums(after), [49900, 0, 0, 0]);
  const history = good(await client.payment.history(token, reference));
  assert.deepEqual(
    history.map((entry) => entry.name),
    ["CREATED", "AUTHORIZED"],
  );
});

await test("payment.capture, refund, cancel", async () => {
  assert.deepEqual(
    sums(good(await client.payment.capture(token, reference, amount(10000)))),
    [49900, 0, 10000, 0],
  );
  assert.deepEqual(
    sums(good(await client.payment.refund(token, reference, amount(4000)))),
    [49900, 0, 10000, 4000],
  );
  assert.deepEqual(
    sums(good(await client.payment.cancel(token, reference))),
    [49900, 39900, 10000, 4000],
  );
});

await test("deliveries arrive and are signed as published", async () => {
  for (const name of ["CREATED", "AUTHORIZED", "CAPTURED", "REFUNDED", "CANCELLED"]) {
    const { headers, url, body } = await hears(name, reference);
    const hash = createHash("sha256").update(body).digest("base64");
    assert.equal(headers["x-ms-content-sha256"], hash);
    const text = `POST\n${url}\n${headers["x-ms-date"]};${headers.host};${hash}`;
    const signature = createHmac("sha256", registration.secret).update(text).digest("base64");
    const value = `HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${signature}`;
    assert.equal(headers.authorization, value);
    assert.equal(headers["x-vipps-authorization"], value);
    assert.equal(headers["webhook-id"], registration.id);
    assert.ok(headers["content-length"] && !headers["transfer-encoding"]);
  }
});

await test("errors have a title and a code", async () => {
  const error = bad(await client.payment.capture(token, reference, amount(1)));
  assert.equal(error.title, "Cannot capture a cancelled order");
  assert.deepEqual(error.extraDetails, [{ name: "ErrorCode", reason: "6070" }]);
  const unknown = bad(await client.payment.info(token, "sdk-unknown-reference"));
  assert.equal(unknown.status, 404);
  const taken = bad(await client.payment.create(token, terms(reference)));
  assert.equal(taken.status, 409);
  const invalid = bad(await client.payment.create(token, terms("short")));
  assert.match(JSON.stringify(invalid), /must match the regular expression/);
  bad(await client.payment.info("not a token", reference));
});

await test("every flow", async () => {
  const flows = [
    ["NATIVE_REDIRECT", { returnUrl: "myapp://done" }, true],
    ["PUSH_MESSAGE", {}, false],
    ["QR", { qrFormat: { format: "IMAGE/PNG", size: 300 } }, true],
    ["QR", { qrFormat: { format: "IMAGE/SVG+XML" } }, true],
    ["QR", { qrFormat: { format: "TEXT/TARGETURL" } }, true],
  ];
  for (const [userFlow, more, redirects] of flows) {
    const own = `sdk-${randomUUID()}`;
    const made = good(await client.payment.create(token, terms(own, { userFlow, ...more })));
    assert.equal(Boolean(made.redirectUrl), redirects, userFlow);
    if (more.qrFormat) {
      const picture = await fetch(made.redirectUrl);
      assert.equal(picture.status, 200);
      const kind = more.qrFormat.format.replace("TEXT/TARGETURL", "TEXT/HTML").toLowerCase();
      assert.ok(picture.headers.get("content-type").startsWith(kind));
    }
    assert.equal(good(await client.payment.cancel(token, own)).state, "TERMINATED");
  }
});

await test("webhook.delete", async () => {
  good(await client.webhook.delete(token, registration.id));
  assert.deepEqual(good(await client.webhook.list(token)), { webhooks: [] });
});

receiver.close();
console.log(`${passed} passed`);
