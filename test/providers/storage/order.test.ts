import { describe, expect, it } from "vitest";
import { byCodeUnits } from "../../../providers/storage/s3/order.ts";
import { Random } from "../../helpers/random.ts";

/** The keys in the order of their UTF-8 bytes, as S3 lists them. */
function listed(keys: readonly string[]): { key: string }[] {
  return keys.map((key) => ({ key })).sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
}

async function reordered(keys: readonly string[]): Promise<string[]> {
  const all: string[] = [];
  const source = (async function* () {
    await Promise.resolve();
    yield* listed(keys);
  })();
  for await (const { key } of byCodeUnits(source)) all.push(key);
  return all;
}

describe("byCodeUnits", () => {
  it("puts characters beyond the basic plane before the last of those in it", async () => {
    expect(listed(["z😀", "z\ufffd"]).map(({ key }) => key)).toEqual(["z\ufffd", "z😀"]);
    expect(await reordered(["z😀", "z\ufffd"])).toEqual(["z😀", "z\ufffd"]);
  });

  it("gives the order of code units for any keys", async () => {
    const random = new Random(5);
    const letters = ["a", "b", "/", "~", "\u00e9", "\ud7ff", "\ue000", "\ufffd", "😀", "🐘"];
    for (let round = 0; round < 300; round += 1) {
      const keys = new Set(
        Array.from({ length: 40 }, () => Array.from({ length: random.below(6) }, () => random.pick(letters)).join("")),
      );
      expect(await reordered([...keys])).toEqual([...keys].sort());
    }
  });

  it("gives a key before it has seen the next, where the orders agree", async () => {
    let seen = 0;
    const source = (async function* () {
      await Promise.resolve();
      for (const key of ["a", "b", "é"]) {
        seen += 1;
        yield { key };
      }
    })();
    for await (const { key } of byCodeUnits(source)) {
      expect([key, seen]).toEqual(["a", 1]);
      break;
    }
  });
});
