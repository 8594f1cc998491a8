// What an authenticator does: RFC 6238 with six digits, thirty seconds and SHA-1.

import { createHmac } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The code that is shown so many steps from now. */
export function code(secret, steps = 0) {
  const bits = [...secret.replace(/[\s=]/g, "")].map((it) => ALPHABET.indexOf(it).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((it) => Number.parseInt(it, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const digest = createHmac("sha1", key).update(counter).digest();
  const from = digest[19] & 15;
  return String((digest.readUInt32BE(from) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** A code that is none of those that are good about now. */
export function wrong(secret) {
  const good = [-2, -1, 0, 1, 2].map((steps) => code(secret, steps));
  return ["123456", "000000", "111111", "222222", "333333", "444444"].find((it) => !good.includes(it));
}
