import type { files } from "dropbox";
import { ProviderError, toProviderError } from "../../errors.ts";
import type { Answer } from "../../http/http.ts";
import { GRACE_MS } from "../../fields/grace.ts";
import { sendCommit } from "../../transfer/commit-request.ts";
import type { DropboxClient, SdkRequest } from "./client.ts";
import type { CallOptions } from "../../http/service-client.ts";
import { tagsOf } from "./errors.ts";

/** What the service says of a file. */
export type FileFacts = files.FileMetadata;

/** A file that is about to become visible. */
export interface Commit {
  readonly path: string;
  readonly size: number;
  readonly hash: string;
  /** The moment that the file bears, by which it is known again. */
  readonly modified: string;
}

/** What says that a file is only ever added: never in the place of another, never under another name. */
export function commitInfo({ path, modified }: Commit): files.CommitInfo {
  return {
    path,
    mode: { ".tag": "add" },
    autorename: false,
    strict_conflict: true,
    mute: true,
    client_modified: modified,
  };
}

/** The facts of a file; nothing where there is none, or a folder. */
export async function fileAt(
  client: DropboxClient,
  path: string,
  options: CallOptions,
): Promise<files.FileMetadata | undefined> {
  const entry = await client.call(
    (sdk, settings) => sdk.filesGetMetadata({ path }, settings),
    options,
    (answer) => (String(tagsOf(answer)) === "path,not_found" ? ("missing" as const) : undefined),
  );
  return entry !== "missing" && entry[".tag"] === "file" ? entry : undefined;
}

/**
 * Makes the file visible, and compares what the service says of it with what was sent.
 *
 * Where an answer was lost, or was a failure that may have come after the effect, the file is looked for: the same hash, size
 * and moment mean that the commit was done, although the service calls the next try a conflict or does not know the
 * session any more.
 *
 * @param send the request, which is made again where it fails for a passing reason
 * @param options its signal ends the commit after a short grace: until then it may still succeed
 * @param recognise gives the error for answers after which trying again is of no use
 */
export async function commit(
  client: DropboxClient,
  file: Commit,
  send: SdkRequest<files.FileMetadata>,
  options: CallOptions,
  recognise?: (answer: Answer) => ProviderError | undefined,
): Promise<files.FileMetadata> {
  const request = {
    name: file.path,
    signal: options.signal,
    retried: options.retried,
    find: (signal: AbortSignal) => findOwn(client, file, { ...options, signal }),
    remove: (made: files.FileMetadata, signal: AbortSignal) => removeRevision(client, made, { ...options, signal }),
  };
  const made = await sendCommit(request, client.retrySeconds, ({ signal }) =>
    client.once(send, { ...options, signal }, recognise),
  );
  await compare(client, file, made, options.action);
  return made;
}

/** The file at the path if it is the one that was sent. */
async function findOwn(
  client: DropboxClient,
  { path, hash, size, modified }: Commit,
  options: CallOptions,
): Promise<files.FileMetadata | undefined> {
  const found = await fileAt(client, path, options);
  const own = found?.content_hash === hash && found.size === size && found.client_modified === modified;
  return own ? found : undefined;
}

/** `INTEGRITY` where the service has other bytes than it was sent; they do not stay visible. */
async function compare(client: DropboxClient, file: Commit, made: files.FileMetadata, action: string): Promise<void> {
  if (made.size === file.size && made.content_hash === file.hash) return;
  const found = `${made.size} bytes with the content hash ${made.content_hash ?? "(none)"}`;
  const problem = `Cannot ${action}: Dropbox has ${found}, but was sent ${file.size} with ${file.hash}.`;
  const fix = "Look for a proxy that changes what it forwards, and start the backup again.";
  try {
    await removeRevision(client, made, { action, signal: AbortSignal.timeout(GRACE_MS) });
  } catch (error) {
    const stays = `${file.path} could not be removed: ${toProviderError(error).message}`;
    throw new ProviderError("INTEGRITY", `${problem} ${stays}`, { cause: error, fix: `Remove that file. ${fix}` });
  }
  throw new ProviderError("INTEGRITY", `${problem} The file was removed again.`, { fix });
}

/** Removes a file if nobody has changed it since. */
async function removeRevision(
  client: DropboxClient,
  { path_lower: path, rev }: files.FileMetadata,
  options: CallOptions,
): Promise<void> {
  if (path === undefined) return;
  await client.call(
    (sdk, settings) => sdk.filesDeleteV2({ path, parent_rev: rev }, settings),
    options,
    (answer) => (String(tagsOf(answer)) === "path_lookup,not_found" ? ("missing" as const) : undefined),
  );
}
