import { buffer } from "node:stream/consumers";
import { Readable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { FileKeySource } from "../../../runner/stream/age/decrypt.ts";
import { withIdentity } from "../../../runner/stream/age/identity.ts";
import { AgeEncrypt, createHeader } from "../../../runner/stream/age/encrypt.ts";
import type { ManifestObject } from "../../../runner/backups/documents/manifest.ts";
import { openPlain } from "../../../runner/backups/open-plain.ts";
import { compressor } from "../../../runner/stream/zstd.ts";
import { bytesOf, streamOf } from "../../helpers/bytes.ts";
import { measured, measuredByCrc32 } from "../../helpers/measured.ts";
import { TemporaryFolder } from "../../helpers/script.ts";
import { openStore } from "../../helpers/store.ts";
import { through } from "../../helpers/through.ts";

const KEY = "prod/app/20260102T030405Z-1a2b3c/database.dump";
const PLAIN = bytesOf(3_000_001);
const never = new AbortController().signal;
const identity = await generateX25519Identity();
const recipients = [await identityToRecipient(identity)];

let folder: TemporaryFolder;
let storage: StorageProvider;
beforeEach(async () => {
  folder = new TemporaryFolder();
  storage = await openStore(folder.path);
});
afterEach(() => {
  folder.remove();
});

/** What is stored for the bytes, and what a manifest says of it. */
async function stored(encrypted: boolean): Promise<{ bytes: Buffer; object: ManifestObject }> {
  const encrypt = encrypted ? [new AgeEncrypt(await createHeader(recipients))] : [];
  const bytes = await through(streamOf(PLAIN), compressor(1), ...encrypt);
  const object: ManifestObject = {
    file: "database.dump",
    artifact: "database.dump",
    format: "pg_dump-custom",
    compression: "zstd",
    encryption: encrypted ? "age" : null,
    stored: measured(bytes),
    plain: measured(PLAIN),
  };
  return { bytes, object };
}

async function open(bytes: Buffer | undefined, object: ManifestObject, key?: FileKeySource): Promise<Readable> {
  if (bytes) await storage.upload(KEY, Readable.from([bytes]));
  const fileKey = object.encryption === null ? undefined : (key ?? withIdentity(identity));
  return openPlain({ storage, key: KEY, object, fileKey }, never);
}

describe.each([
  ["plain", false],
  ["encrypted", true],
])("an object that is %s", (_name, encrypted) => {
  it("comes back", async () => {
    const { bytes, object } = await stored(encrypted);
    expect((await buffer(await open(bytes, object))).equals(PLAIN)).toBe(true);
  });

  it("comes back where its manifest has a CRC-32", async () => {
    const { bytes, object } = await stored(encrypted);
    const stream = await open(bytes, { ...object, plain: measuredByCrc32(PLAIN) });
    expect((await buffer(stream)).equals(PLAIN)).toBe(true);
  });

  const flip = (position: number) => (bytes: Buffer) => {
    const copy = Buffer.from(bytes);
    const at = position < 0 ? bytes.length + position : position;
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };
  it.each<[string, (bytes: Buffer) => Buffer | undefined]>([
    ["is missing", () => undefined],
    ["is empty", () => Buffer.alloc(0)],
    ["has another first byte", flip(0)],
    ["has another byte in its header", flip(30)],
    ["has another byte in a recipient's line", flip(60)],
    ["has another byte near its start", flip(300)],
    ["has another byte in its middle", (bytes) => flip(bytes.length >> 1)(bytes)],
    ["has another last byte", flip(-1)],
    ["lost its last byte", (bytes) => bytes.subarray(0, -1)],
    ["lost its second half", (bytes) => bytes.subarray(0, bytes.length >> 1)],
    ["has a byte too many", (bytes) => Buffer.concat([bytes, Buffer.of(0)])],
    ["is there twice", (bytes) => Buffer.concat([bytes, bytes])],
    ["has much too many bytes", (bytes) => Buffer.concat([bytes, bytesOf(3_000_000)])],
  ])("is refused by its name where it %s", async (_what, damage) => {
    const { bytes, object } = await stored(encrypted);
    const stream = await open(damage(bytes), object);
    const received: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => received.push(chunk));
    const problem = await new Promise((resolve) => stream.on("error", resolve).on("end", resolve));
    expect(problem).toMatchObject({ code: "INTEGRITY", message: expect.stringMatching(`^${KEY}: `) as string });
    await turn();
    expect(Buffer.concat(received).length).toBeLessThan(PLAIN.length);
  });

  it.each<[string, (object: ManifestObject) => Partial<ManifestObject>, string]>([
    ["the stored size", (object) => ({ stored: { ...object.stored, size: 1 } }), "as stored it has more than"],
    [
      "the stored SHA-256",
      (object) => ({ stored: { ...object.stored, sha256: "0".repeat(64) } }),
      "as stored its SHA-256 is not the manifest's.",
    ],
    ["the plain size", (object) => ({ plain: { ...object.plain, size: 1 } }), "decompressed it has more than"],
    [
      "the plain SHA-256",
      () => ({ plain: { size: PLAIN.length, sha256: "0".repeat(64) } }),
      "decompressed its SHA-256 is not the manifest's.",
    ],
    [
      "the plain CRC-32",
      () => ({ plain: { size: PLAIN.length, crc32: "0".repeat(8) } }),
      "decompressed its CRC-32 is not the manifest's.",
    ],
  ])("is refused where %s is not the manifest's", async (_what, difference, message) => {
    const { bytes, object } = await stored(encrypted);
    await expect(buffer(await open(bytes, { ...object, ...difference(object) }))).rejects.toMatchObject({
      code: "INTEGRITY",
      message: expect.stringMatching(`^${KEY}: ${message}`) as string,
    });
  });
});

it("says that an identity is none of the recipients, where the object is whole", async () => {
  const { bytes, object } = await stored(true);
  const stream = await open(bytes, object, withIdentity(await generateX25519Identity()));
  await expect(buffer(stream)).rejects.toMatchObject({
    code: "CONFIG",
    message: expect.stringContaining("none of") as string,
  });
});

it("says that it needs an identity", async () => {
  const { object } = await stored(true);
  expect(() => openPlain({ storage, key: KEY, object, fileKey: undefined }, never)).toThrow(
    expect.objectContaining({ code: "CONFIG", fix: expect.stringContaining("--identity") as string }),
  );
});
