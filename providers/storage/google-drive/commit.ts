import { ProviderError, toProviderError } from "../../errors.ts";
import { exists } from "../../transfer/object-errors.ts";
import { GRACE_MS, withGrace } from "../../fields/grace.ts";
import { resolveDoubt } from "../../transfer/commit-request.ts";
import { holds } from "./checksums.ts";
import type { Content } from "./checksums.ts";
import type { DriveClient } from "./client.ts";
import type { CallOptions } from "../../http/service-client.ts";
import { fileById, removeFile } from "./files.ts";
import type { DriveFile } from "./files.ts";

/** A file that is about to become visible. */
export interface Commit {
  readonly key: string;
  /** The store, for people. */
  readonly place: string;
  /** Given out by the service beforehand. */
  readonly id: string;
  readonly name: string;
  readonly content: Content;
  /** Makes the file; tries as often as it takes. */
  readonly send: (signal: AbortSignal) => Promise<DriveFile>;
  /** Ends what `send` may have left under way: what is not made by then never will be. */
  readonly cancel: () => Promise<void>;
  /** All files of the same key. */
  readonly rivals: (options: CallOptions) => Promise<DriveFile[]>;
}

/**
 * Makes a file visible, or leaves nothing: compares what the service says of it with what was sent, and gives way to a file
 * of the same key that was there before.
 *
 * Where an answer was lost, the file is asked for by its id, which nobody else can have.
 *
 * @param options its signal ends the commit after a short grace: until then it may still succeed
 */
export async function commit(client: DriveClient, file: Commit, options: CallOptions): Promise<DriveFile> {
  const made = await make(client, file, options);
  try {
    checkContent(file, made, options.action);
    await checkRivals(file, made, options);
  } catch (error) {
    const failure = toProviderError(error);
    await removeAgain(client, file, failure, options);
    throw failure;
  }
  return made;
}

function make(client: DriveClient, file: Commit, options: CallOptions): Promise<DriveFile> {
  return withGrace(options.signal, async (late) => {
    try {
      return await file.send(late);
    } catch (error) {
      const failure = toProviderError(error);
      await file.cancel();
      // What was refused took no effect. Any failure that may pass may have come after the effect.
      if (!["TRANSIENT", "ABORTED", "RATE_LIMITED"].includes(failure.code)) throw failure;
      const request = {
        name: file.key,
        signal: options.signal,
        find: (signal: AbortSignal) => fileById(client, file.id, { ...options, signal }),
        remove: (_made: DriveFile, signal: AbortSignal) => removeFile(client, file.id, { ...options, signal }),
      };
      return resolveDoubt(request, failure);
    }
  });
}

/** `INTEGRITY` where the service has other bytes than it was sent, or keeps them under another name. */
function checkContent({ name, content }: Commit, made: DriveFile, action: string): void {
  if (made.name !== name) {
    const problem = `Cannot ${action}: Google Drive keeps it under the name ${JSON.stringify(made.name)}.`;
    throw new ProviderError("INTEGRITY", problem, { fix: "Use a key of letters, digits, '.', '_' and '-'." });
  }
  if (holds(made, content)) return;
  const sums = (one: { md5: string | undefined; sha256: string | undefined }) =>
    `MD5 ${one.md5 ?? "unknown"}, SHA-256 ${one.sha256 ?? "unknown"}`;
  const found = `${made.size} bytes (${sums(made)})`;
  const problem = `Cannot ${action}: Google Drive has ${found}, but was sent ${content.size} (${sums(content)}).`;
  throw new ProviderError("INTEGRITY", problem, {
    fix: "Look for a proxy that changes what it forwards, and start the backup again.",
  });
}

/**
 * `CONFLICT` where another file of the key is at least as old. Drive allows duplicate names: the oldest file of a key counts, and
 * a later writer removes its own.
 */
async function checkRivals({ key, place, id, rivals }: Commit, made: DriveFile, options: CallOptions): Promise<void> {
  const others = await rivals(options);
  // Of two of the same moment both give way: an upload that is reported as stored must be the one that is read.
  if (others.some((other) => other.id !== id && other.created <= made.created)) throw exists(key, place);
}

async function removeAgain(
  client: DriveClient,
  { key, id }: Commit,
  failure: ProviderError,
  { action }: CallOptions,
): Promise<void> {
  try {
    await removeFile(client, id, { action, signal: AbortSignal.timeout(GRACE_MS) });
  } catch (error) {
    const stays = `What was stored of ${key}, file ${id}, could not be removed: ${toProviderError(error).message}`;
    throw new ProviderError(failure.code, `${failure.message} ${stays}`, {
      cause: failure,
      fix: `Remove that file. ${failure.fix ?? ""}`.trim(),
    });
  }
}
