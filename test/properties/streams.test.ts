import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProviderError } from "../../providers/errors.ts";
import { chunksOf } from "../../providers/transfer/chunker.ts";
import { AgeDecrypt } from "../../runner/stream/age/decrypt.ts";
import { AgeEncrypt, createHeader } from "../../runner/stream/age/encrypt.ts";
import { withIdentity } from "../../runner/stream/age/identity.ts";
import { useSeed } from "./seed.ts";

useSeed();

/** Bytes, cut into pieces somewhere. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at
    .slice(1)
    .map((end, index) => bytes.subarray(at[index], end))
    .filter((piece) => piece.length > 0);
}

const cuts = fc.array(fc.nat(), { maxLength: 8 });

/** Bytes that are not alike, so that a mistake of order shows. */
const bytesOf = (size: number) => Buffer.from(Array.from({ length: size }, (_, index) => (index * 7919) >> 3));

describe("the chunker", () => {
  it("gives all bytes once, in order, in chunks of the size, the last one marked", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1500),
        fc.integer({ min: 1, max: 700 }),
        cuts,
        fc.integer({ min: 2, max: 4 }),
        async (size, chunk, where, buffers) => {
          const bytes = bytesOf(size);
          const got: Buffer[] = [];
          const source = Readable.from(pieces(bytes, where));
          const { signal } = new AbortController();
          for await (const { bytes: part, offset, last } of chunksOf(source, {
            size: chunk,
            buffers: () => buffers,
            signal,
          })) {
            expect(offset).toBe(Buffer.concat(got).length);
            got.push(Buffer.from(part));
            expect(last).toBe(offset + part.length === size);
            if (!last) expect(part.length).toBe(chunk);
          }
          expect(Buffer.concat(got).equals(bytes)).toBe(true);
          expect(got).toHaveLength(Math.max(1, Math.ceil(size / chunk)));
        },
      ),
    );
  });
});

describe("the age stream", async () => {
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  const header = await createHeader([recipient]);
  const fileKey = withIdentity(identity);
  // Around one and two chunks of 64 KiB is where an end can be misread.
  const size = fc.oneof(
    fc.nat(300),
    fc.integer({ min: 65_530, max: 65_545 }),
    fc.integer({ min: 131_060, max: 131_090 }),
  );

  const decrypt = (stored: readonly Buffer[]) =>
    buffer(Readable.from(stored).compose(new AgeDecrypt(fileKey)) as Readable);
  const encrypt = async (plain: readonly Buffer[]) => {
    const encrypting = new AgeEncrypt(header);
    const [, stored] = await Promise.all([pipeline(Readable.from(plain), encrypting), buffer(encrypting)]);
    return stored;
  };

  it("is what the age package reads, and reads what that writes, in whatever pieces", async () => {
    await fc.assert(
      fc.asyncProperty(size, cuts, cuts, async (count, plainCuts, storedCuts) => {
        const bytes = bytesOf(count);
        const decrypter = new Decrypter();
        decrypter.addIdentity(identity);
        expect(bytes.equals(await decrypter.decrypt(await encrypt(pieces(bytes, plainCuts))))).toBe(true);
        const encrypter = new Encrypter();
        encrypter.addRecipient(recipient);
        const stored = Buffer.from(await encrypter.encrypt(bytes));
        expect(bytes.equals(await decrypt(pieces(stored, storedCuts)))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("that is cut off, or has one byte changed, ends with an error that says so", async () => {
    await fc.assert(
      fc.asyncProperty(
        size,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (count, where, flip, cut) => {
          const stored = Buffer.from(await encrypt([bytesOf(count)]));
          const at = where % stored.length;
          stored[at] = (stored[at] ?? 0) ^ flip;
          const error = await decrypt(cut ? [stored.subarray(0, at)] : [stored]).then(
            () => undefined,
            (failure: unknown) => failure,
          );
          expect(error).toBeInstanceOf(ProviderError);
          expect(["INTEGRITY", "AUTH", "CONFIG"]).toContain((error as ProviderError).code);
        },
      ),
      { numRuns: 60 },
    );
  });
});
