// Verifies Florin's deliveries with npm's `standardwebhooks`, as a receiver would.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const folder = process.argv[2];
const require = createRequire(join(folder, "javascript", "package.json"));
const { Webhook } = require("standardwebhooks");
const { version } = require("standardwebhooks/package.json");
assert.equal(version, "1.1.1");

const { deliveries } = JSON.parse(readFileSync(join(folder, "deliveries.json"), "utf8"));
assert.ok(deliveries.length >= 20, `only ${deliveries.length} deliveries`);

function accepts({ secret, headers, body }) {
    const webhook = new Webhook(secret);
    try {
        const seen = webhook.verify(Buffer.from(body), headers);
        assert.deepEqual(seen, JSON.parse(body.toString()));
        return true;
    } catch (error) {
        if (error.code === "ERR_ASSERTION") throw error;
        return false;
    }
}

for (const delivery of deliveries) {
    assert.equal(accepts(delivery), delivery.accept, delivery.name);
}

// Every bit of everything that is signed, and of the signature, turned over once.
const sample = deliveries.find(({ name }) => name === "sample");
const headers = (name, value) => ({ ...sample, headers: { ...sample.headers, [name]: value } });
const mac = Buffer.from(sample.headers["webhook-signature"].slice(3), "base64");
assert.equal(mac.length, 32);
const parts = [
    [Buffer.from(sample.body), (bytes) => ({ ...sample, body: bytes })],
    [mac, (bytes) => headers("webhook-signature", `v1,${bytes.toString("base64")}`)],
    ...["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => [
        Buffer.from(sample.headers[name]),
        (bytes) => headers(name, bytes.toString("latin1")),
    ]),
];
let flipped = 0;
for (const [bytes, changed] of parts) {
    assert.ok(accepts(changed(bytes)), "unchanged, it is accepted");
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const other = Buffer.from(bytes);
        other[bit >> 3] ^= 1 << (bit & 7);
        assert.equal(accepts(changed(other)), false, `bit ${bit} of ${bytes}`);
        flipped += 1;
    }
}
assert.ok(flipped > 5000, `only ${flipped} bits`);

// What this library signs must be genuine for Florin as well.
const now = new Date();
const body = '{"type":"bill.paid","data":{"text":"Zoë 💳"}}';
const signature = new Webhook(sample.secret).sign("msg_1", now, body);
const request = [
    "POST /hook HTTP/1.1",
    "webhook-id: msg_1",
    `webhook-timestamp: ${Math.floor(now.getTime() / 1000)}`,
    `webhook-signature: ${signature}`,
    "",
    body,
];
writeFileSync(join(folder, "by-javascript.http"), request.join("\r\n"));
writeFileSync(join(folder, "by-javascript.secret"), sample.secret);

console.log(
    `javascript: ${deliveries.length} deliveries judged as they must be, ${flipped} changed bits refused`,
);
