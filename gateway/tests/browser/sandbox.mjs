// The two servers of the test: the sandbox that runs already, and a little shop of our own that
// takes returning browsers and webhooks.

import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";

const DEADLINE = 30_000;

/** Asks again until there is an answer; a test never waits for a time, only for a fact. */
export async function until(what, ask, deadline = DEADLINE) {
  const end = Date.now() + deadline;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`waited ${deadline} ms for ${what}`);
    await pause(50);
  }
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** What the sandbox wrote about itself, once it is ready. */
export async function sandbox() {
  const file = `${process.env.FLORIN_DATA}/sandbox.json`;
  const pid = Number(process.env.FLORIN_PID ?? 0);
  const settings = await until("sandbox.json", async () => {
    if (pid && !isRunning(pid)) throw new Error("the sandbox has stopped");
    const text = await readFile(file, "utf8").catch(() => "");
    return text && JSON.parse(text);
  });
  await until("/health/ready", async () => {
    const answer = await fetch(`${settings.base_url}/health/ready`).catch(() => null);
    return answer?.status === 200;
  });
  return settings;
}

/** Runs a command of the binary against the running sandbox; what it printed. */
export async function florin(...args) {
  const all = [...args, "--data", process.env.FLORIN_DATA];
  return (await promisify(execFile)(process.env.FLORIN, all)).stdout;
}

/** The calls of a merchant's server. */
export class Merchant {
  constructor(settings) {
    this.base = settings.base_url;
    this.key = settings.hitpay.api_key;
    this.salt = settings.hitpay.salt;
  }

  async call(method, path, body) {
    const headers = { "X-BUSINESS-API-KEY": this.key, Accept: "application/json" };
    if (body) headers["Content-Type"] = "application/json";
    const answer = await fetch(this.base + path, {
      method,
      headers,
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  /** A payment request; card is the only method unless others are given. */
  create(fields = {}) {
    const request = { amount: "12.50", currency: "SGD", payment_methods: ["card"], ...fields };
    return this.call("POST", "/v1/payment-requests", request);
  }

  show(id) {
    return this.call("GET", `/v1/payment-requests/${id}`);
  }

  /** What the simulator can do in the payer's place. */
  simulate(payment, outcome) {
    return this.call("POST", "/sandbox/simulate", { payment, outcome });
  }

  /** Is the `hmac` field of a callback the one that these fields and the salt give? */
  isGenuine(form) {
    const fields = [...form].filter(([name]) => name !== "hmac");
    fields.sort(([a], [b]) => (a < b ? -1 : 1));
    const text = fields.map(([name, value]) => name + value).join("");
    return createHmac("sha256", this.salt).update(text).digest("hex") === form.get("hmac");
  }
}

/** A shop: any address below it is a page, and what is posted to it is kept. */
export async function openShop() {
  const webhooks = [];
  const raw = [];
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      if (request.method === "POST") {
        const body = Buffer.concat(chunks).toString("utf8");
        webhooks.push(new URLSearchParams(body));
        raw.push({ headers: request.headers, body });
        response.writeHead(200).end("OK");
      } else {
        response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
        response.end('<!doctype html><html lang="en"><title>Shop</title><h1>Shop</h1></html>');
      }
    });
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const url = `http://127.0.0.1:${server.address().port}`;
  const webhookOf = (id) =>
    until(`the webhook of ${id}`, () => webhooks.find((w) => w.get("payment_request_id") === id));
  return { url, raw, webhookOf, close: () => server.close() };
}
