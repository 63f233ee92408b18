import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { JobConfig } from "../../providers/config.ts";
import type { DatabaseArtifact } from "../../providers/database/database.ts";
import { abortedError, ProviderError, toProviderError } from "../../providers/errors.ts";
import { ending } from "../../providers/layout.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import type { StoredObject } from "../../providers/transfer/object.ts";
import { AgeEncrypt, createHeader } from "../stream/age/encrypt.ts";
import type { FileKeySource } from "../stream/age/decrypt.ts";
import type { ManifestObject } from "./documents/manifest.ts";
import { FanOut } from "../stream/fan-out.ts";
import { feed } from "../stream/feed.ts";
import { HandOver } from "../stream/hand-over.ts";
import type { Measure, SumKind } from "../stream/meter.ts";
import { compressor } from "../stream/zstd.ts";

/** What a dump is made with. */
export interface DumpOptions<Kind extends SumKind = SumKind> {
  readonly level: number;
  /** Which sum the result has of the plain bytes. */
  readonly plainSum: Kind;
  /** age public keys; none: not encrypted. */
  readonly recipients: readonly string[];
  /** Milliseconds for which one store may accept nothing before it is dropped. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
  /** Called with the plain bytes so far. */
  readonly progress: (bytes: number) => void;
  /** Runs the upload to a store, to measure it. */
  readonly measureUpload: (store: number, upload: MeasuredUpload) => Promise<StoredObject>;
}

/** What a job's configuration says of how a stream is stored. */
export function streamSettings(job: JobConfig): Pick<DumpOptions, "level" | "recipients" | "patienceMs"> {
  return {
    level: job.compression.level,
    recipients: job.encryption?.recipients ?? [],
    // Three quarters: the stalled store is dropped before the others' own watchdogs blame the silence on their source.
    patienceMs: Math.min(...job.destinations.map((config) => config.stallTimeoutSeconds)) * 750,
  };
}

/** An upload to a store. `retried` is called before a request is made again. */
export type MeasuredUpload = (retried?: () => void) => Promise<StoredObject>;

/** Bytes that were stored compressed, and encrypted where there are recipients. */
export interface StoredStream<Kind extends SumKind = SumKind> {
  /** As they are stored, and as they were read; undefined where every store failed. */
  readonly content: { readonly stored: Measure<"sha256">; readonly plain: Measure<Kind> } | undefined;
  /** The key of encrypted bytes, which this run still holds. */
  readonly fileKey: FileKeySource | undefined;
  /** For each store, in order: why it does not have them, or undefined. */
  readonly failures: readonly (ProviderError | undefined)[];
}

/** An object that was stored, with the key that this run still holds. */
export interface Dumped extends Omit<StoredStream, "content"> {
  /** Undefined where every store failed. */
  readonly object: ManifestObject | undefined;
}

/**
 * Reads an artifact once and sends it to all stores at the same time.
 *
 * @param keyOf the object's key for its file name.
 * @throws ProviderError if the artifact itself failed: no store shows anything of it then.
 */
export async function dump(
  artifact: Pick<DatabaseArtifact, "name" | "sizeEstimate" | "open" | "database" | "covers"> &
    Pick<ManifestObject, "format">,
  stores: readonly StorageProvider[],
  keyOf: (file: string) => string,
  options: DumpOptions,
): Promise<Dumped> {
  const file = `${artifact.name}${ending(options.recipients.length > 0)}`;
  const { content, ...rest } = await storeStream(artifact, stores, keyOf(file), options);
  const object = content && {
    file,
    artifact: artifact.name,
    format: artifact.format,
    ...(artifact.database !== undefined && { database: artifact.database }),
    covers: [...artifact.covers],
    compression: "zstd" as const,
    encryption: options.recipients.length > 0 ? ("age" as const) : null,
    ...content,
  };
  return { object, ...rest };
}

/** Resolves when a stream has a byte to read, has ended or has failed; its reader hears which. */
function begun(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    const events = ["readable", "end", "error", "close"];
    const settle = () => {
      for (const event of events) stream.off(event, settle);
      resolve();
    };
    for (const event of events) stream.on(event, settle);
  });
}

/**
 * Reads a source once, compresses and encrypts it, and sends it to all stores at the same time.
 *
 * @throws ProviderError if the source itself failed: no store shows anything of it then.
 */
export async function storeStream<Kind extends SumKind>(
  source: Pick<DatabaseArtifact, "sizeEstimate" | "open">,
  stores: readonly StorageProvider[],
  key: string,
  options: DumpOptions<Kind>,
): Promise<StoredStream<Kind>> {
  const { signal } = options;
  const header = options.recipients.length > 0 ? await createHeader(options.recipients) : undefined;
  const bytes = source.open(signal);
  // No store should wait for a dump that waits for a lock, or that several workers write into files first.
  await begun(bytes);
  const fan = new FanOut(stores.length, options.patienceMs);
  const { sizeEstimate } = source;
  const uploads = stores.map(async (store, index) => {
    const branch = fan.branches[index];
    if (!branch) throw new RangeError("a store without a branch");
    return options.measureUpload(index, (retried) =>
      store.upload(key, branch, { signal, retried, ...(sizeEstimate !== undefined && { sizeEstimate }) }),
    );
  });
  const settled = Promise.allSettled(uploads);
  const zstd = compressor(options.level);
  const encrypt = header ? [new AgeEncrypt(header)] : [];
  const [sent, fed] = await Promise.allSettled([
    pipeline([zstd, new HandOver(), ...encrypt, fan], { signal }),
    feed(bytes, zstd, options.plainSum, options.progress),
  ]);
  const results = await settled;
  if (signal.aborted) throw abortedError(signal);
  if (sent.status === "rejected" && !fan.abandoned) throw toProviderError(sent.reason);

  const stored = fan.finish();
  const failures = results.map((result) => {
    if (result.status === "rejected") return toProviderError(result.reason);
    if (result.value.size === stored.size) return undefined;
    return new ProviderError("INTEGRITY", `${key}: the store has ${result.value.size} bytes of ${stored.size}.`);
  });
  return {
    content: fed.status === "rejected" ? undefined : { stored, plain: fed.value },
    fileKey: header && (() => Promise.resolve(header.fileKey)),
    failures,
  };
}
