import { describe, expect, it } from "vitest";
import { z } from "zod";
import { Manifest } from "../../../../runner/backups/documents/manifest.ts";
import { seal, unseal } from "../../../../runner/backups/documents/sealed-json.ts";
import { sampleManifest } from "../../../helpers/sample-manifest.ts";

const manifest = sampleManifest("20260102T030405Z-1a2b3c");
const sealed = Buffer.from(seal(manifest));

/** The code of the refusal; `accepted` where there was none. */
function verdict(bytes: Buffer): string {
  try {
    unseal("manifest.json", bytes.toString("utf8"), Manifest);
    return "accepted";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

it("comes back as it was", () => {
  expect(unseal("manifest.json", sealed.toString("utf8"), Manifest)).toEqual(manifest);
});

describe("a single damaged byte", () => {
  const positions = [...sealed.keys()];

  it("is found wherever it is, whichever bit is flipped", () => {
    for (const position of positions) {
      for (let bit = 0; bit < 8; bit += 1) {
        const copy = Buffer.from(sealed);
        copy[position] = (copy[position] ?? 0) ^ (1 << bit);
        expect(verdict(copy), `bit ${bit} of byte ${position}`).toBe("INTEGRITY");
      }
    }
  });

  it("is found wherever one was inserted", () => {
    for (const position of [...positions, sealed.length]) {
      for (const byte of Buffer.from(' \n0a",\\}\0\xff', "latin1")) {
        const longer = Buffer.concat([sealed.subarray(0, position), Buffer.of(byte), sealed.subarray(position)]);
        expect(verdict(longer), `${byte} before byte ${position}`).toBe("INTEGRITY");
      }
    }
  });

  it("is found wherever one is missing", () => {
    for (const position of positions) {
      const shorter = Buffer.concat([sealed.subarray(0, position), sealed.subarray(position + 1)]);
      expect(verdict(shorter), `byte ${position}`).toBe("INTEGRITY");
    }
  });
});

it("is refused at every length that it was cut to", () => {
  for (let length = 0; length < sealed.length; length += 1) {
    expect(verdict(sealed.subarray(0, length)), `${length} bytes`).toBe("INTEGRITY");
  }
});

it.each(["null", "[]", "{}", '"text"', "1", "not JSON"])("takes %s for damaged", (text) => {
  expect(verdict(Buffer.from(text))).toBe("INTEGRITY");
});

it("says that a whole document of another format is no damage", () => {
  const text = seal({ format: 2, something: "new" });
  expect(() => unseal("manifest.json", text, z.strictObject({ format: z.literal(1) }))).toThrow(
    expect.objectContaining({ code: "CONFIG", message: expect.stringContaining("manifest.json is whole") as string }),
  );
});
