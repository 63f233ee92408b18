import { createHmac } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { beyond, type JsonBounds } from "../../runner/backups/documents/document-bounds.ts";
import { jsonPieces } from "../../runner/backups/documents/json-pieces.ts";
import { SigningKeys } from "../../runner/backups/documents/signing.ts";
import { useSeed } from "./seed.ts";

useSeed();

const KEY = "0123456789abcdef".repeat(4);

/** Any JSON, with every character in its strings, and fields that are undefined. */
const any = fc.dictionary(
  fc.string({ unit: "binary" }).filter((name) => name !== "__proto__"),
  fc.option(fc.jsonValue({ maxDepth: 4, stringUnit: "binary" }), { nil: undefined }),
);

/** Of more than one piece: lists, and names, some of which have several pieces themselves. */
const long = fc
  .tuple(
    any,
    fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 4 }),
    fc.integer({ min: 0, max: 3000 }),
  )
  .map(([document, lengths, items]) => ({
    ...document,
    long: lengths.map((length) => ({ text: '"\n\\'.repeat(length / 3) })),
    inner: {
      items: Array.from({ length: items }, (_, index) => ({ schema: "public", name: `t_${index}`, rows: index })),
    },
  }));

const document = fc.oneof(any, long);

it.each([0, 2] as const)("joined are what JSON.stringify gives, with %i spaces", (indent) => {
  fc.assert(
    fc.property(document, (value) => {
      expect([...jsonPieces(value, indent)].join("")).toBe(JSON.stringify(value, null, indent));
    }),
  );
});

it("are measured like the whole", () => {
  const tight: JsonBounds = { bytes: 60_000, depth: 5, values: 5000 };
  fc.assert(
    fc.property(document, (value) => {
      // Of a text that is too deep and too large, pieces may say the one and the whole the other.
      const [inPieces, whole] = [beyond(jsonPieces(value, 2), tight), beyond([JSON.stringify(value, null, 2)], tight)];
      expect(inPieces === undefined).toBe(whole === undefined);
    }),
  );
});

it("are signed like the whole, without the line of the last bracket", () => {
  const keys = new SigningKeys(KEY);
  fc.assert(
    fc.property(
      fc.oneof(
        any.filter((value) => Object.values(value).some((field) => field !== undefined)),
        long,
      ),
      (value) => {
        const text = `${JSON.stringify(value, null, 2).slice(0, -2)},\n}\n`;
        const signature = createHmac("sha256", Buffer.from(KEY, "hex")).update(text).digest("hex");
        expect(keys.sign(value).split(":").at(-1)).toBe(signature);
      },
    ),
  );
});
