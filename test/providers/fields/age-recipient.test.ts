import { generateHybridIdentity, generateX25519Identity, identityToRecipient } from "age-encryption";
import { expect, it } from "vitest";
import { isAgeRecipient } from "../../../providers/fields/age-recipient.ts";

const x25519 = await identityToRecipient(await generateX25519Identity());
const hybrid = await identityToRecipient(await generateHybridIdentity());

it.each([
  ["X25519", x25519],
  ["that stands quantum computers", hybrid],
])("takes a key %s", (_kind, key) => {
  expect(isAgeRecipient(key)).toBe(true);
});

it("refuses a key with any one letter wrong, left out or swapped with the next", () => {
  for (let at = 4; at < x25519.length; at += 1) {
    const [before, letter, after] = [x25519.slice(0, at), x25519.charAt(at), x25519.slice(at + 1)];
    expect(isAgeRecipient(before + (letter === "q" ? "p" : "q") + after), `letter ${at}`).toBe(false);
    expect(isAgeRecipient(before + after), `without letter ${at}`).toBe(false);
    const next = after.charAt(0);
    if (next !== "" && next !== letter) expect(isAgeRecipient(before + next + letter + after.slice(1))).toBe(false);
  }
});

it.each(["", "age1", "age1x", x25519.toUpperCase(), `${x25519} `, "ssh-ed25519 AAAA", x25519.replace("age1", "agf1")])(
  "refuses %j",
  (text) => {
    expect(isAgeRecipient(text)).toBe(false);
  },
);
