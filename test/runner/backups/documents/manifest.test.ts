import { describe, expect, it } from "vitest";
import { formatOf, Manifest, type ManifestObject } from "../../../../runner/backups/documents/manifest.ts";
import { seal, unseal } from "../../../../runner/backups/documents/sealed-json.ts";
import { sampleManifest } from "../../../helpers/sample-manifest.ts";

const ID = "20260102T030405Z-1a2b3c";
const SHA = { size: 5, sha256: "0123456789abcdef".repeat(4) };
const CRC = { size: 5, crc32: "cbf43926" };

/** A sealed manifest of objects with these plain bytes. */
function textOf(format: number, ...plain: object[]): string {
  const sample = sampleManifest(ID);
  return seal({ ...sample, format, objects: plain.map((each) => ({ ...sample.objects[0], plain: each })) });
}

describe("a manifest", () => {
  it.each<[string, 1 | 2, ManifestObject["plain"][]]>([
    ["of format 1, with a SHA-256", 1, [SHA]],
    ["of format 2, with a CRC-32", 2, [CRC]],
    ["of format 2, with a SHA-256 beside a CRC-32", 2, [SHA, CRC]],
  ])("%s is read as it was written", (_what, format, plain) => {
    const manifest = unseal("x.json", textOf(format, ...plain), Manifest);
    expect(manifest.objects.map((object) => object.plain)).toEqual(plain);
    expect([manifest.format, formatOf(manifest.objects)]).toEqual([format, format]);
  });

  it.each<[string, number, object[]]>([
    ["of format 3", 3, [CRC]],
    ["of format 1, with a CRC-32", 1, [SHA, CRC]],
    ["of format 2, without a CRC-32", 2, [SHA]],
    ["with both sums of an object", 2, [CRC, { ...SHA, ...CRC }]],
    ["with no sum of an object", 2, [CRC, { size: 5 }]],
    ["with a CRC-32 of seven digits", 2, [{ ...CRC, crc32: "bf43926" }]],
    ["with a CRC-32 in capitals", 2, [{ ...CRC, crc32: "CBF43926" }]],
  ])("%s is whole, and of a format that is not known", (_what, format, plain) => {
    expect(() => unseal("x.json", textOf(format, ...plain), Manifest)).toThrow(
      expect.objectContaining({
        code: "CONFIG",
        message: "x.json is whole, but this version of Provision does not know its format.",
      }),
    );
  });
});
