import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProviderError } from "../../providers/errors.ts";
import { DropboxPaths } from "../../providers/storage/dropbox/paths.ts";
import { Names } from "../../providers/storage/supabase/names.ts";
import { keySegments } from "../../providers/transfer/keys.ts";
import { FolderNames } from "../../runner/operations/files/folder-names.ts";
import { useSeed } from "./seed.ts";

useSeed();

const odd = fc.constantFrom(
  ...Array.from("/.~ =%\\\0\u00e9\ud83d\ude00\u0301Aa1"),
  "..",
  "//",
  "\ud800",
  "a".repeat(130),
);
const anyKey = fc.string({ unit: odd, maxLength: 8 });
const goodKey = anyKey.filter((key) => {
  try {
    return keySegments(key).length > 0 && key.isWellFormed();
  } catch {
    return false;
  }
});

/** What a function gives; undefined where it refuses with `CONFIG`, as it may. */
function orRefused<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    expect(error).toBeInstanceOf(ProviderError);
    expect((error as ProviderError).code).toBe("CONFIG");
    return undefined;
  }
}

describe("a key", () => {
  it("stays below its folder, or is refused", () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const segments = orRefused(() => keySegments(key));
        if (segments === undefined) return;
        expect(segments.join("/")).toBe(key);
        for (const segment of segments) expect(["", ".", ".."]).not.toContain(segment);
      }),
    );
  });

  it("has a name in Supabase Storage of plain ASCII, which no other key has", () => {
    const names = new Names("backups");
    fc.assert(
      fc.property(goodKey, goodKey, (one, other) => {
        const [first, second] = [one, other].map((key) => orRefused(() => names.of(key)));
        if (first !== undefined) expect(first).toMatch(/^backups\/[A-Za-z0-9_./=-]+$/);
        if (first !== undefined && first === second) expect(one).toBe(other);
      }),
    );
  });

  it("has a path in a Dropbox below its folder, or is refused", () => {
    const paths = new DropboxPaths("/Backups", undefined);
    fc.assert(
      fc.property(goodKey, (key) => {
        const path = orRefused(() => paths.of(key));
        if (path !== undefined) expect(paths.below(path).join("/")).toBe(key);
      }),
    );
  });
});

it("files of a bucket get different paths in a folder, each of names that a file system takes", () => {
  const path = fc
    .string({ unit: odd, minLength: 1, maxLength: 6 })
    .filter((value) => value.isWellFormed() && !value.includes("\0"));
  fc.assert(
    fc.property(fc.uniqueArray(path, { minLength: 1, maxLength: 12 }), (files) => {
      const names = new FolderNames();
      for (const each of files) names.foresee({ bucket: "b", path: each });
      const paths = files.map((each) => names.pathOf({ bucket: "b", path: each }));
      expect(new Set(paths).size).toBe(files.length);
      for (const segment of paths.flatMap((each) => each.split("/"))) {
        expect(["", ".", ".."]).not.toContain(segment);
        expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(255);
      }
      // None is a folder of another.
      for (const each of paths) expect(paths.some((other) => other.startsWith(`${each}/`))).toBe(false);
    }),
  );
});
