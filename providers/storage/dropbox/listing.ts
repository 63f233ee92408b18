import type { files } from "dropbox";
import { ProviderError } from "../../errors.ts";
import type { DropboxClient } from "./client.ts";
import type { CallOptions } from "../../http/service-client.ts";
import { tagsOf } from "./errors.ts";

/** Entries a page; the service takes 2,000 at most. */
const PAGE = 2_000;

/** How often a listing begins again after the service gave it up. */
const BEGINNINGS = 5;

/** Anything in a folder, as the service reports it. */
type Entry = files.ListFolderResult["entries"][number];

/** What is below a folder, by lower-case paths. */
type Entries = Map<string, Entry>;

/** A file below a folder. */
export interface ListedFile {
  /** The path from the root, each name in its own case as far as the service tells it. */
  readonly path: string;
  readonly size: number;
  readonly modified: Date;
}

/** All files below a folder, in no order. A folder that does not exist is empty. */
export async function listFiles(client: DropboxClient, folder: string, options: CallOptions): Promise<ListedFile[]> {
  for (let beginning = 1; beginning <= BEGINNINGS; beginning += 1) {
    const entries = await entriesBelow(client, folder, options);
    if (entries !== undefined) return filesOf(entries);
  }
  throw new ProviderError("TRANSIENT", `Cannot ${options.action}: Dropbox ended the listing ${BEGINNINGS} times.`, {
    fix: "Try again when less is written to the account.",
  });
}

/** Nothing where the service has ended the listing and wants it begun again. */
async function entriesBelow(client: DropboxClient, folder: string, options: CallOptions): Promise<Entries | undefined> {
  const entries: Entries = new Map();
  let page = await client.call(
    (sdk, settings) =>
      sdk.filesListFolder(
        { path: folder, recursive: true, limit: PAGE, include_non_downloadable_files: false },
        settings,
      ),
    options,
    (answer) => (/^path,not_(found|folder)$/.test(String(tagsOf(answer))) ? ("missing" as const) : undefined),
  );
  for (;;) {
    if (page === "missing") return entries;
    for (const entry of page.entries) apply(entries, entry);
    if (!page.has_more) return entries;
    const { cursor } = page;
    const next = await client.call(
      (sdk, settings) => sdk.filesListFolderContinue({ cursor }, settings),
      options,
      (answer) => (tagsOf(answer)[0] === "reset" ? ("reset" as const) : undefined),
    );
    if (next === "reset") return undefined;
    page = next;
  }
}

/** Pages tell changes, in order: an entry takes the place of what was there, and one that is deleted takes all below it. */
function apply(entries: Entries, entry: Entry): void {
  const path = entry.path_lower;
  if (path === undefined) return;
  const replaced = entry[".tag"] === "file" && entries.get(path)?.[".tag"] === "folder";
  if (entry[".tag"] === "deleted" || replaced) {
    for (const below of entries.keys()) if (below.startsWith(`${path}/`)) entries.delete(below);
  }
  if (entry[".tag"] === "deleted") entries.delete(path);
  else entries.set(path, entry);
}

function filesOf(entries: Entries): ListedFile[] {
  const found: ListedFile[] = [];
  for (const [path, entry] of entries) {
    if (entry[".tag"] !== "file") continue;
    found.push({ path: trueCase(path, entry, entries), size: entry.size, modified: new Date(entry.server_modified) });
  }
  return found;
}

/** Only the last name of a `path_display` is sure to be in its own case: the folders' own entries tell the others. */
function trueCase(path: string, entry: Entry, entries: Entries): string {
  const lower = path.split("/");
  const displayed = (entry.path_display ?? path).split("/");
  return lower
    .map((name, depth) => entries.get(lower.slice(0, depth + 1).join("/"))?.name ?? displayed[depth] ?? name)
    .join("/");
}
