import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, describe, expect, it } from "vitest";
import { cut, NOTHING } from "../../../runner/stream/age/cut.ts";
import { AgeDecrypt, type FileKeySource } from "../../../runner/stream/age/decrypt.ts";
import { withIdentity } from "../../../runner/stream/age/identity.ts";
import { AgeEncrypt, createHeader } from "../../../runner/stream/age/encrypt.ts";
import { bytesOf, streamOf } from "../../helpers/bytes.ts";
import { ensureProgram } from "../../helpers/ensure-program.ts";
import { TemporaryFolder } from "../../helpers/script.ts";
import { Received, through } from "../../helpers/through.ts";

const KIB64 = 65_536;
const SEALED = KIB64 + 16;
const NONCE = 16;
const SIZES = [0, 1, KIB64 - 1, KIB64, KIB64 + 1, 2 * KIB64, 3_000_001];

const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);
const haveAge = await ensureProgram("age", "age");

async function encrypt(plain: Buffer, recipients = [recipient], pieceSize = 100_003): Promise<Buffer> {
  return through(streamOf(plain, pieceSize), new AgeEncrypt(await createHeader(recipients)));
}

function decrypt(file: Buffer, pieceSize = 100_003, key: FileKeySource = withIdentity(identity)): Promise<Buffer> {
  return through(streamOf(file, pieceSize), new AgeDecrypt(key));
}

/** How the decryption of damaged bytes ended, and what came out before. */
async function refusal(file: Buffer, key?: FileKeySource): Promise<{ error: unknown; plain: Buffer }> {
  const received = new Received();
  const error: unknown = await pipeline(streamOf(file, 50_021), new AgeDecrypt(key ?? withIdentity(identity)), received)
    .then(() => undefined)
    .catch((reason: unknown) => reason);
  return { error, plain: received.bytes };
}

function flipped(file: Buffer, position: number): Buffer {
  const copy = Buffer.from(file);
  copy[position] = (copy[position] ?? 0) ^ 1;
  return copy;
}

function headerSize(file: Buffer): number {
  return file.indexOf("\n", file.indexOf("\n--- ") + 1) + 1;
}

describe("a round trip", () => {
  it.each(SIZES)("of %i bytes gives them back, however they are cut into pieces", async (size) => {
    const plain = bytesOf(size);
    for (const piece of size < 2 * KIB64 ? [1, 4999, KIB64] : [4999, KIB64, KIB64 + 1, 1_000_003]) {
      const file = await encrypt(plain, [recipient], piece);
      expect((await decrypt(file, piece + 1)).equals(plain)).toBe(true);
    }
  });

  it("keeps none of a piece's memory for the bytes that are left of it", () => {
    const piece = Buffer.allocUnsafeSlow(4 * KIB64 + 1);
    const { chunks, left } = cut(NOTHING, piece, KIB64);
    expect(chunks).toHaveLength(4);
    expect(left).toHaveLength(1);
    expect(left.buffer).not.toBe(piece.buffer);
  });

  it("needs any one of several private keys", async () => {
    const identities = [identity, await generateX25519Identity(), await generateX25519Identity()];
    const recipients = await Promise.all(identities.map((each) => identityToRecipient(each)));
    const file = await encrypt(bytesOf(1000), recipients);
    for (const each of identities) {
      expect(await decrypt(file, 97, withIdentity(each))).toEqual(bytesOf(1000));
    }
  });

  it("takes a key's file as age-keygen writes it", async () => {
    const lines = `# created: 2026-01-02T03:04:05Z\n# public key: ${recipient}\n${identity}\n`;
    expect(await decrypt(await encrypt(bytesOf(10)), 97, withIdentity(lines))).toEqual(bytesOf(10));
  });

  it("takes a known file key in place of a private key", async () => {
    const header = await createHeader([recipient]);
    const file = await through(streamOf(bytesOf(KIB64 * 3)), new AgeEncrypt(header));
    expect(await decrypt(file, 1 << 20, () => Promise.resolve(header.fileKey))).toEqual(bytesOf(KIB64 * 3));
  });

  it("never writes the same bytes twice", async () => {
    const [a, b] = [await encrypt(bytesOf(1000)), await encrypt(bytesOf(1000))];
    expect(a.subarray(headerSize(a) + NONCE)).not.toEqual(b.subarray(headerSize(b) + NONCE));
  });
});

describe("the age-encryption package", () => {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);

  it.each(SIZES)("decrypts %i bytes that were encrypted here", async (size) => {
    expect(Buffer.from(await decrypter.decrypt(await encrypt(bytesOf(size)))).equals(bytesOf(size))).toBe(true);
  });

  it.each(SIZES)("encrypts %i bytes that are decrypted here", async (size) => {
    const file = Buffer.from(await encrypter.encrypt(bytesOf(size)));
    expect((await decrypt(file)).equals(bytesOf(size))).toBe(true);
  });
});

describe.runIf(haveAge)("the age program", () => {
  const folder = new TemporaryFolder();
  const keyFile = join(folder.path, "key");
  writeFileSync(keyFile, identity + "\n", { mode: 0o600 });
  afterAll(() => {
    folder.remove();
  });

  function age(args: readonly string[], input: Buffer): Buffer {
    const { status, stdout, stderr } = spawnSync("age", args, { input, maxBuffer: 64 << 20 });
    expect(stderr.toString()).toBe("");
    expect(status).toBe(0);
    return stdout;
  }

  it.each(SIZES)("decrypts %i bytes that were encrypted here", async (size) => {
    expect(age(["-d", "-i", keyFile], await encrypt(bytesOf(size))).equals(bytesOf(size))).toBe(true);
  });

  it.each(SIZES)("encrypts %i bytes that are decrypted here", async (size) => {
    expect((await decrypt(age(["-r", recipient], bytesOf(size)))).equals(bytesOf(size))).toBe(true);
  });
});

describe("a wrong key", () => {
  it("is the configuration's fault where it is none of the recipients", async () => {
    const { error, plain } = await refusal(await encrypt(bytesOf(10)), withIdentity(await generateX25519Identity()));
    expect(error).toMatchObject({
      code: "CONFIG",
      message: expect.stringContaining("none of this backup's recipients") as string,
    });
    expect(plain).toHaveLength(0);
  });

  it("is refused where it is no private key, without being repeated", () => {
    const secret = identity.slice(0, -1) + (identity.endsWith("Q") ? "P" : "Q");
    const problem = catching(() => withIdentity(secret));
    expect(problem).toMatchObject({ code: "CONFIG", fix: expect.stringContaining("AGE-SECRET-KEY-1") as string });
    expect(String(problem)).not.toContain(secret.slice(20));
  });

  it("is refused where a public key has a typing error, which the message shows", async () => {
    const damaged = recipient.slice(0, 20) + (recipient[20] === "q" ? "p" : "q") + recipient.slice(21);
    await expect(createHeader([recipient, damaged])).rejects.toMatchObject({
      code: "CONFIG",
      message: `encryption.recipients: ${damaged} is not an age public key.`,
      fix: expect.stringContaining("age-keygen") as string,
    });
  });
});

describe("damage", async () => {
  // Two full chunks and a part of a third.
  const plain = bytesOf(150_000);
  const file = await encrypt(plain);
  const header = headerSize(file);
  const start = header + NONCE;

  it("in any byte of the header is found before anything comes out", async () => {
    const lineOfMac = file.indexOf("\n--- ");
    for (let position = 0; position < header; position += 1) {
      const { error, plain: out } = await refusal(flipped(file, position));
      // A recipient's damaged lines look like another recipient's: only their checksum by the file's key would tell.
      const codes = position < file.indexOf("\n") || position > lineOfMac ? ["INTEGRITY"] : ["INTEGRITY", "CONFIG"];
      expect(codes, `byte ${position}`).toContain((error as { code?: string }).code);
      expect(out).toHaveLength(0);
    }
  });

  it("in any byte of the nonce is found before anything comes out", async () => {
    for (let position = header; position < start; position += 1) {
      const { error, plain: out } = await refusal(flipped(file, position));
      expect(error).toMatchObject({ code: "INTEGRITY" });
      expect(out).toHaveLength(0);
    }
  });

  it("in a chunk or its tag is found before that chunk comes out", async () => {
    for (const chunk of [0, 1, 2]) {
      const from = start + chunk * SEALED;
      const to = Math.min(from + SEALED, file.length);
      for (const position of [from, Math.floor((from + to) / 2), to - 17, to - 16, to - 1]) {
        const { error, plain: out } = await refusal(flipped(file, position));
        expect(error, `byte ${position - from} of chunk ${chunk}`).toMatchObject({ code: "INTEGRITY" });
        expect(out.length).toBeLessThanOrEqual(chunk * KIB64);
        expect(out).toEqual(plain.subarray(0, out.length));
      }
    }
  });

  it.each([
    ["nothing is left", 0],
    ["the header is cut", 50],
    ["only the header is left", header],
    ["the nonce is cut", header + 8],
    ["no chunk is left", start],
    ["the first tag is cut", start + SEALED - 1],
    ["one chunk is left", start + SEALED],
    ["a byte of the second is left", start + SEALED + 1],
    ["two chunks are left", start + 2 * SEALED],
    ["the last byte is missing", file.length - 1],
  ])("where %s is found", async (_name, length) => {
    const { error } = await refusal(file.subarray(0, length));
    expect(error).toMatchObject({ code: "INTEGRITY" });
  });

  const chunk = (index: number) => file.subarray(start + index * SEALED, start + (index + 1) * SEALED);
  it.each([
    ["two chunks have changed places", [chunk(1), chunk(0), chunk(2)]],
    ["a chunk is missing", [chunk(0), chunk(2)]],
    ["a chunk is there twice", [chunk(0), chunk(0), chunk(1), chunk(2)]],
    ["the last chunk is there twice", [chunk(0), chunk(1), chunk(2), chunk(2)]],
    ["a byte was appended", [chunk(0), chunk(1), chunk(2), Buffer.of(0)]],
  ])("where %s is found", async (_name, chunks) => {
    const { error } = await refusal(Buffer.concat([file.subarray(0, start), ...chunks]));
    expect(error).toMatchObject({ code: "INTEGRITY" });
  });

  it("where bytes follow a last chunk that is full is found", async () => {
    const { error } = await refusal(Buffer.concat([await encrypt(bytesOf(2 * KIB64)), Buffer.of(0)]));
    expect(error).toMatchObject({ code: "INTEGRITY" });
  });

  it("where no header ends is found without reading all of it", async () => {
    const { error } = await refusal(Buffer.alloc(1 << 20, "a"));
    expect(error).toMatchObject({ code: "INTEGRITY", message: expect.stringContaining("age header") as string });
  });
});

function catching(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}
