"""Verifies Florin's deliveries with PyPI's `standardwebhooks`, as a receiver would."""

import base64
import datetime
import importlib.metadata
import json
import pathlib
import sys

from standardwebhooks import Webhook


def accepts(delivery):
    webhook = Webhook(delivery["secret"])
    body = delivery["body"]
    try:
        seen = webhook.verify(body, delivery["headers"])
    except Exception:  # whatever a receiver would refuse with
        return False
    if isinstance(body, bytes):
        body = body.decode()
    require(seen == json.loads(body), "what is read is what was sent")
    return True


def require(holds, what):
    if not holds:
        sys.exit(f"python: {what}")


def flips(data):
    for bit in range(len(data) * 8):
        other = bytearray(data)
        other[bit // 8] ^= 1 << (bit % 8)
        yield bit, bytes(other)


def changed_bits(sample):
    """Every bit of everything that is signed, and of the signature, turned over once."""
    headers = sample["headers"]

    def header(name, value):
        return {**sample, "headers": {**headers, name: value}}

    # The bits of the signature itself: this library also takes base64 in other spellings.
    mac = base64.b64decode(headers["webhook-signature"][3:])
    require(len(mac) == 32, "a signature has 32 bytes")
    parts = [
        (sample["body"].encode(), lambda data: {**sample, "body": data}),
        (mac, lambda data: header("webhook-signature", "v1," + base64.b64encode(data).decode())),
    ]
    for name in ("webhook-id", "webhook-timestamp"):
        change = lambda data, name=name: header(name, data.decode("latin-1"))
        parts.append((headers[name].encode(), change))
    flipped = 0
    for data, change in parts:
        require(accepts(change(data)), "unchanged, it is accepted")
        for bit, other in flips(data):
            require(not accepts(change(other)), f"bit {bit} of {data!r} may be changed")
            flipped += 1
    return flipped


def sign(folder, secret):
    """What this library signs must be genuine for Florin as well."""
    now = datetime.datetime.now(tz=datetime.timezone.utc)
    body = '{"type":"bill.paid","data":{"text":"Zoë 💳"}}'
    signature = Webhook(secret).sign("msg_1", now, body)
    request = [
        "POST /hook HTTP/1.1",
        "webhook-id: msg_1",
        f"webhook-timestamp: {int(now.timestamp())}",
        f"webhook-signature: {signature}",
        "",
        body,
    ]
    (folder / "by-python.http").write_bytes("\r\n".join(request).encode())
    (folder / "by-python.secret").write_text(secret)


def main():
    version = importlib.metadata.version("standardwebhooks")
    require(version == "1.1.0", f"version {version} is installed")
    folder = pathlib.Path(sys.argv[1])
    deliveries = json.loads((folder / "deliveries.json").read_text(encoding="utf-8"))["deliveries"]
    require(len(deliveries) >= 20, f"only {len(deliveries)} deliveries")
    for delivery in deliveries:
        require(accepts(delivery) == delivery["accept"], f"misjudged: {delivery['name']}")
    sample = next(one for one in deliveries if one["name"] == "sample")
    flipped = changed_bits(sample)
    require(flipped > 5000, f"only {flipped} bits")
    sign(folder, sample["secret"])
    print(
        f"python: {len(deliveries)} deliveries judged as they must be, "
        f"{flipped} changed bits refused"
    )


main()
