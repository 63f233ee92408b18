import { Readable, type Transform } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { abortedError, ProviderError, toProviderError } from "../../providers/errors.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { DownloadOptions } from "../../providers/transfer/object.ts";
import { AgeDecrypt, type FileKeySource } from "../stream/age/decrypt.ts";
import type { ManifestObject } from "./documents/manifest.ts";
import { flakyTransfer, FlakyTransferError, isDamage, readTwice } from "./second-read.ts";
import { HandOver } from "../stream/hand-over.ts";
import { MeterStream, type Measure } from "../stream/meter.ts";
import { OneFrame } from "../stream/one-frame.ts";
import { PieceSums } from "../stream/piece-sums.ts";
import { decompressor } from "../stream/zstd.ts";

/** Where an object of a backup is and how it is read. */
export interface ObjectSource {
  readonly storage: StorageProvider;
  readonly key: string;
  readonly object: Pick<ManifestObject, "stored" | "plain" | "encryption">;
  /** Needed for an encrypted object. */
  readonly fileKey: FileKeySource | undefined;
  /** Called with the stored bytes that have been read so far, once a piece. */
  readonly passed?: (bytes: number) => void;
  /** Whether they are to come from the medium; see the option of the store. Default false. */
  readonly fromMedium?: DownloadOptions["fromMedium"];
  /** Of a reading that was right as a whole, see {@link prove}: nothing is passed on of a piece that is another than in it. */
  sums?: PieceSums;
}

/** Where an object is and what its stored bytes should be. */
interface StoredSource extends Pick<ObjectSource, "storage" | "key" | "passed" | "fromMedium" | "sums"> {
  readonly object: Pick<ManifestObject, "stored">;
}

/**
 * The decrypted, decompressed bytes of an object. All of it is compared with the manifest, as stored and as it comes out;
 * the last bytes are kept back until both have proven right, and what acts on the others needs {@link prove} before. The stream errors with `INTEGRITY`, naming the object, where
 * anything differs. Nothing happens before it is read.
 */
export function openPlain(source: ObjectSource, signal: AbortSignal): Readable {
  requireKey(source);
  return streamOf(plainBytes(source, signal));
}

/**
 * The same, for work that cannot simply be done twice: where something differs, the object is read once more, to its end. If it is
 * whole then, the stream errors with a {@link FlakyTransferError}.
 */
export function openConfirmed(source: ObjectSource, signal: AbortSignal): Readable {
  requireKey(source);
  return streamOf(confirmedBytes(source, signal));
}

/**
 * Reads objects to their ends, each once more where it arrives damaged, and compares what is stored with the manifest. Each later reading
 * of these sources passes on only what has been proven here: bytes act before the end of their stream, and a store may give others.
 *
 * @param warn called with a sentence for each object that was whole only when it was read again.
 * @throws ProviderError `INTEGRITY`, naming the object; `CONFIG` where the key is missing that a later reading needs
 */
export async function prove(
  sources: readonly ObjectSource[],
  signal: AbortSignal,
  warn: (warning: string) => void,
): Promise<void> {
  sources.forEach(requireKey);
  for (const source of sources) {
    const read = async (): Promise<PieceSums> => {
      const sums = new PieceSums(source.object.stored.size);
      await checkStored({ ...source, sums }, signal);
      return sums;
    };
    source.sums = await readTwice(read, (problem) => {
      warn(flakyTransfer(source.storage.description, problem));
    });
  }
}

function requireKey({ key, object, fileKey }: ObjectSource): void {
  if (object.encryption === "age" && !fileKey) {
    throw new ProviderError("CONFIG", `${key} is encrypted, and there is no identity to decrypt it with.`, {
      fix: "Give the private key of one of its recipients: encryption.identity in the job, or --identity.",
    });
  }
}

function streamOf(bytes: AsyncGenerator<Buffer>): Readable {
  return Readable.from(bytes, { objectMode: false, highWaterMark: 512 * 1024 });
}

async function* confirmedBytes(source: ObjectSource, signal: AbortSignal): AsyncGenerator<Buffer> {
  try {
    yield* plainBytes(source, signal);
  } catch (error) {
    if (!isDamage(error)) throw error;
    await finished(streamOf(plainBytes(source, signal)).resume());
    throw new FlakyTransferError(source.storage.description, error);
  }
}

async function* plainBytes(source: ObjectSource, signal: AbortSignal): AsyncGenerator<Buffer> {
  const { key, object, fileKey } = source;
  let storedProven = false;
  const proveStored = (measure: Measure<"sha256">) => {
    compare(key, "as stored", measure, object.stored);
    storedProven = true;
  };
  const provePlain = (measure: Measure) => {
    compare(key, "decompressed", measure, object.plain);
    // A decompressor may be done before its input is: then there are bytes too many.
    if (!storedProven) throw new DamagedObjectError(key, "it has more bytes than the manifest says");
  };
  const kind = "crc32" in object.plain ? "crc32" : "sha256";
  const plain = new MeterStream(kind, provePlain, object.plain.size);
  const decrypt = object.encryption === "age" && fileKey ? [new AgeDecrypt(fileKey)] : [];
  try {
    // Its failure is the failure of its last stage, which is read here.
    const stages = [
      ...(await storedStages(source, signal, proveStored)),
      ...decrypt,
      new OneFrame(),
      decompressor(),
      new HandOver(),
      plain,
    ];
    pipeline(stages, { signal }).catch(() => undefined);
    yield* plain as AsyncIterable<Buffer>;
  } catch (error) {
    if (signal.aborted) throw abortedError(signal);
    const problem = explain(key, error);
    // A header whose lines for a recipient are damaged looks like one of other recipients; the stored bytes tell.
    if (problem.code === "CONFIG") await checkStored(source, signal);
    throw problem;
  }
}

/**
 * The bytes of an object as they are stored, compared with the manifest: the stream errors before its end where they differ.
 * {@link explain} says what its errors mean.
 */
export async function openStored(source: StoredSource, signal: AbortSignal): Promise<Readable> {
  const stages = await storedStages(source, signal, (measure) => {
    compare(source.key, "as stored", measure, source.object.stored);
  });
  // Its failure is the failure of its last stage, which is read by the caller.
  pipeline(stages, { signal }).catch(() => undefined);
  return stages[stages.length - 1] as Readable;
}

/** The bytes as they are stored, and the stages that compare them with an earlier reading and hand their sum to `done`. */
async function storedStages(
  { storage, key, object, passed, fromMedium = false, sums }: StoredSource,
  signal: AbortSignal,
  done: (measure: Measure<"sha256">) => void,
): Promise<(Readable | Transform)[]> {
  const meter = new MeterStream("sha256", done, object.stored.size, passed);
  return [await storage.download(key, { signal, fromMedium }), ...(sums ? [sums.stage()] : []), meter];
}

/**
 * Reads an object to its end and compares what is stored with the manifest, without decrypting it. `INTEGRITY`, naming the
 * object, where it differs.
 */
export async function checkStored(source: Omit<ObjectSource, "fileKey">, signal: AbortSignal): Promise<void> {
  try {
    await finished((await openStored(source, signal)).resume());
  } catch (error) {
    throw signal.aborted ? abortedError(signal) : explain(source.key, error);
  }
}

function compare(key: string, how: string, found: Measure, expected: Measure): void {
  if (found.size > expected.size)
    throw new DamagedObjectError(key, `${how} it has more than the manifest's ${expected.size} bytes`);
  if (found.size < expected.size) {
    throw new DamagedObjectError(key, `${how} it has ${found.size} bytes, and the manifest says ${expected.size}`);
  }
  const [name, sum] = sumOf(expected);
  const [, foundSum] = sumOf(found);
  if (foundSum !== sum) throw new DamagedObjectError(key, `${how} its ${name} is not the manifest's`);
}

function sumOf(measure: Measure): readonly [name: string, sum: string] {
  return "crc32" in measure ? ["CRC-32", measure.crc32] : ["SHA-256", measure.sha256];
}

/**
 * What an error of the bytes of an object means. The stages' own errors (of zlib, of the age format) mean damage too, and
 * none of them knows the object's name.
 */
export function explain(key: string, error: unknown): ProviderError {
  if (error instanceof ProviderError) {
    if (error.code === "NOT_FOUND") return new DamagedObjectError(key, "it is missing", error);
    if (error.code !== "INTEGRITY" || error instanceof DamagedObjectError) return error;
    return new DamagedObjectError(key, error.message.replace(/\.$/, ""), error);
  }
  const { code } = error as { code?: unknown };
  return typeof code === "string" && /^(ZSTD|Z)_|^ERR_ZSTD/.test(code)
    ? new DamagedObjectError(key, "it cannot be decompressed", error)
    : toProviderError(error);
}

/** An object's bytes are not those that the manifest names; the message begins with the object's key. */
export class DamagedObjectError extends ProviderError {
  override readonly name = "DamagedObjectError";
  readonly key: string;

  constructor(key: string, what: string, cause?: unknown) {
    super("INTEGRITY", `${key}: ${what}.`, {
      cause,
      fix: "Restore an older backup, or this one from another destination.",
    });
    this.key = key;
  }
}
