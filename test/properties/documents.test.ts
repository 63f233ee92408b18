import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProviderError } from "../../providers/errors.ts";
import {
  AnomalyRecord,
  CopyRecord,
  DrillRecord,
  HoldRecord,
  Manifest,
  VerificationRecord,
} from "../../runner/backups/documents/manifest.ts";
import { openSealed, seal, unseal } from "../../runner/backups/documents/sealed-json.ts";
import { documentFor } from "../helpers/sample-records.ts";
import { sampleManifest, withCrc32 } from "../helpers/sample-manifest.ts";
import { useSeed } from "./seed.ts";

useSeed();

const ID = "20260102T030405Z-1a2b3c";
const parsed = (name: string) => openSealed(name, documentFor(ID, name));
const hold = {
  format: 1,
  id: ID,
  program: "0.1.0",
  recordedAt: "2026-01-02T03:04:05.123Z",
  outcome: "held",
  reason: "case 4711",
  after: [],
};
const anomaly = {
  ...hold,
  outcome: "suspicious",
  anomalies: [{ what: "rows", usual: 10, now: 1, table: "public.orders" }],
  reason: undefined,
};

const DOCUMENTS = [
  ["a manifest", Manifest, sampleManifest(ID)],
  ["a manifest of format 2", Manifest, withCrc32(sampleManifest(ID))],
  ["the record of a verification", VerificationRecord, parsed("verified-20260102T030405Z.json")],
  ["the record of a drill", DrillRecord, parsed("drilled-20260102T030405Z.json")],
  ["the record of a copy", CopyRecord, parsed("copied-20260102T030405Z.json")],
  ["the record of a hold", HoldRecord, hold],
  ["the record of an anomaly", AnomalyRecord, anomaly],
] as const;

/** The code of the refusal; `accepted` where there was none. */
function verdict(text: string, schema: (typeof DOCUMENTS)[number][1]): string {
  try {
    unseal("x.json", text, schema);
    return "accepted";
  } catch (error) {
    expect(error).toBeInstanceOf(ProviderError);
    return (error as ProviderError).code;
  }
}

describe.each(DOCUMENTS)("%s", (_name, schema, document) => {
  const text = seal(document);

  it("comes back as it was", () => {
    expect(unseal("x.json", text, schema)).toEqual(JSON.parse(JSON.stringify(document)));
  });

  it("is damaged with any byte put in, taken out or changed", () => {
    const bytes = Buffer.from(text);
    const position = fc.nat(bytes.length - 1);
    fc.assert(
      fc.property(position, fc.nat(2), fc.uint8Array({ minLength: 1, maxLength: 3 }), (at, removed, put) => {
        const changed = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + removed)]);
        fc.pre(!changed.equals(bytes));
        // Bytes that are no UTF-8 are read as another character.
        expect(verdict(changed.toString("utf8"), schema)).toBe("INTEGRITY");
      }),
    );
  });

  it("with any other value in a field is refused by a code, or read, when it is sealed again", () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(document)), fc.jsonValue(), (field, value) => {
        expect(["accepted", "CONFIG", "INTEGRITY"]).toContain(verdict(seal({ ...document, [field]: value }), schema));
      }),
    );
  });
});

it("of any JSON comes back as it was sealed", () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string().filter((name) => !["checksum", "__proto__"].includes(name)),
        fc.jsonValue({ maxDepth: 4 }),
      ),
      (content) => {
        const text = seal(content);
        expect(openSealed("x.json", text)).toEqual(JSON.parse(JSON.stringify(content)));
      },
    ),
  );
});

it("of any text is refused by a code", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(verdict(text, Manifest)).toBe("INTEGRITY");
    }),
  );
});
