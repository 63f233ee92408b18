import { pipeline } from "node:stream/promises";
import type { DatabaseArtifact } from "../providers/database/database.ts";
import { abortedError, ProviderError, toProviderError } from "../providers/errors.ts";
import type { StorageProvider, StoredObject } from "../providers/storage/storage.ts";
import { AgeEncrypt, createHeader } from "./age/encrypt.ts";
import type { FileKeySource } from "./age/decrypt.ts";
import type { ManifestObject } from "./manifest.ts";
import { FanOut } from "./stream/fan-out.ts";
import { feed } from "./stream/feed.ts";
import { compressor } from "./stream/zstd.ts";

/** What a dump is made with. */
export interface DumpOptions {
  readonly level: number;
  /** age public keys; none: not encrypted. */
  readonly recipients: readonly string[];
  /** Milliseconds for which one store may accept nothing before it is dropped. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
  /** Is told the plain bytes so far. */
  readonly progress: (bytes: number) => void;
  /** Runs the upload to a store, to measure it. */
  readonly measureUpload: (store: number, upload: () => Promise<StoredObject>) => Promise<StoredObject>;
}

/** An object that was stored, with the key that this run still holds. */
export interface Dumped {
  /** Undefined where every store failed. */
  readonly object: ManifestObject | undefined;
  readonly fileKey: FileKeySource | undefined;
  /** For each store, in order: why it does not have the object, or undefined. */
  readonly failures: readonly (ProviderError | undefined)[];
}

/**
 * Reads an artifact once and sends it to all stores at the same time.
 *
 * @param keyOf the object's key for its file name.
 * @throws ProviderError if the artifact itself failed: no store shows anything of it then.
 */
export async function dump(
  artifact: DatabaseArtifact,
  stores: readonly StorageProvider[],
  keyOf: (file: string) => string,
  options: DumpOptions,
): Promise<Dumped> {
  const { signal } = options;
  const header = options.recipients.length > 0 ? await createHeader(options.recipients) : undefined;
  const file = `${artifact.name}.zst${header ? ".age" : ""}`;
  const fan = new FanOut(stores.length, options.patienceMs);
  const { sizeEstimate } = artifact;
  const uploads = stores.map(async (store, index) => {
    const branch = fan.branches[index];
    if (!branch) throw new RangeError("a store without a branch");
    return options.measureUpload(index, () =>
      store.upload(keyOf(file), branch, { signal, ...(sizeEstimate === undefined ? {} : { sizeEstimate }) }),
    );
  });
  const settled = Promise.allSettled(uploads);
  const zstd = compressor(options.level);
  const encrypt = header ? [new AgeEncrypt(header)] : [];
  const [sent, fed] = await Promise.allSettled([
    pipeline([zstd, ...encrypt, fan], { signal }),
    feed(artifact.open(signal), zstd, options.progress),
  ]);
  const results = await settled;
  if (signal.aborted) throw abortedError(signal);
  if (sent.status === "rejected" && !fan.abandoned) throw toProviderError(sent.reason);

  const stored = fan.finish();
  const failures = results.map((result) => {
    if (result.status === "rejected") return toProviderError(result.reason);
    if (result.value.size === stored.size) return undefined;
    return new ProviderError("INTEGRITY", `${file}: the store has ${result.value.size} bytes of ${stored.size}.`);
  });
  if (fed.status === "rejected") return { object: undefined, fileKey: undefined, failures };
  const object: ManifestObject = {
    file,
    artifact: artifact.name,
    format: artifact.format,
    compression: "zstd",
    encryption: header ? "age" : null,
    stored,
    plain: fed.value,
  };
  return { object, fileKey: header && (() => Promise.resolve(header.fileKey)), failures };
}
