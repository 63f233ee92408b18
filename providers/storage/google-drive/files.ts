import type { drive_v3 } from "@googleapis/drive";
import { ProviderError } from "../../errors.ts";
import type { DriveClient } from "./client.ts";
import type { CallOptions } from "../../http/service-client.ts";
import { complaintOf, isDriveMissing, notGoogle } from "./errors.ts";

/** What makes a file a folder. */
export const FOLDER_TYPE = "application/vnd.google-apps.folder";

/** What is asked for of a file: the service tells nothing else. */
export const FIELDS = "id,name,mimeType,size,createdTime,md5Checksum,sha256Checksum,appProperties,trashed";

/** What goes with every request for a single file: without it files of shared drives do not exist. */
export const ANY_DRIVE = { supportsAllDrives: true } as const;

/** The property by which our own files and folders are known again; other apps neither see nor set it. */
const MARK = "provision";

/** Files a page; the service takes 1,000 at most. */
const PAGE = 1_000;

/** A file or folder. */
export interface DriveFile {
  readonly id: string;
  readonly name: string;
  readonly isFolder: boolean;
  /** Whether it was made here, as what it is: an object or a folder. */
  readonly own: boolean;
  readonly size: number;
  /** When it was made whole, by the service's clock. */
  readonly created: Date;
  readonly md5: string | undefined;
  readonly sha256: string | undefined;
}

/** Where files are looked for: in a shared drive, or in what the account sees beside them. */
export type Place = Pick<drive_v3.Params$Resource$Files$List, "corpora" | "driveId">;

/** The properties of a file or folder that is made here. */
export function markOf(kind: "object" | "folder"): Record<string, string> {
  return { [MARK]: kind };
}

/** What the service says of a file. */
export function factsOf(file: drive_v3.Schema$File, action: string): DriveFile {
  const { id, name, mimeType, size, createdTime, md5Checksum, sha256Checksum, appProperties } = file;
  const created = new Date(createdTime ?? NaN);
  if (typeof id !== "string" || typeof name !== "string" || Number.isNaN(created.getTime())) throw notGoogle(action);
  const isFolder = mimeType === FOLDER_TYPE;
  return {
    id,
    name,
    isFolder,
    own: appProperties?.[MARK] === (isFolder ? "folder" : "object"),
    // The service writes numbers of 64 bits as texts.
    size: Number(size ?? 0),
    created,
    md5: md5Checksum ?? undefined,
    sha256: sha256Checksum ?? undefined,
  };
}

/** A file, which is found by its id at once, also when searches do not show it yet. Nothing where it is gone or in the trash. */
export async function fileById(client: DriveClient, id: string, options: CallOptions): Promise<DriveFile | undefined> {
  const file = await client.call(
    (files, settings) => files.get({ fileId: id, ...ANY_DRIVE, fields: FIELDS }, settings),
    options,
    (answer) => (answer.status === 404 ? ("missing" as const) : undefined),
  );
  return file === "missing" || file.trashed === true ? undefined : factsOf(file, options.action);
}

/**
 * What is in a folder, the oldest first; of a name, where one is given. A folder that does not exist is empty.
 *
 * One folder a request: a search in several at once (`… in parents or … in parents`) sometimes leaves out what is in some of
 * them, without a word.
 */
export async function filesIn(
  client: DriveClient,
  place: Place,
  folder: string,
  options: CallOptions,
  name?: string,
): Promise<DriveFile[]> {
  const named = name === undefined ? "" : ` and name = ${quoted(name)}`;
  const q = `${quoted(folder)} in parents and trashed = false${named}`;
  const fields = `nextPageToken,incompleteSearch,files(${FIELDS})`;
  // By their ids: what changes while a listing goes on may come on two pages.
  const found = new Map<string, DriveFile>();
  let page: string | undefined;
  do {
    const token = page === undefined ? {} : { pageToken: page };
    const query = { q, fields, pageSize: PAGE, spaces: "drive", ...place, ...ANY_DRIVE, ...token };
    const result = await client.call(
      (files, settings) => files.list({ ...query, includeItemsFromAllDrives: true }, settings),
      options,
      (answer) => {
        const { location, message } = complaintOf(answer);
        return answer.status === 404 && !isDriveMissing(location, message) ? ("missing" as const) : undefined;
      },
    );
    if (result === "missing") return [];
    if (result.incompleteSearch === true) throw incomplete(options.action);
    for (const file of result.files ?? []) {
      const facts = factsOf(file, options.action);
      found.set(facts.id, facts);
    }
    page = result.nextPageToken ?? undefined;
  } while (page !== undefined);
  // The search takes upper and lower case for the same.
  return [...found.values()].filter((file) => name === undefined || file.name === name).sort(byAge);
}

/** Removes a file, for good where the account may do that, else into the trash. What is gone already is no error. */
export async function removeFile(client: DriveClient, id: string, options: CallOptions): Promise<void> {
  const outcome = await client.call(
    (files, settings) => files.delete({ fileId: id, ...ANY_DRIVE }, settings),
    options,
    (answer) => {
      if (answer.status === 404) return "gone" as const;
      // In shared drives only managers may delete; content managers may put into the trash, which is emptied after 30 days.
      return complaintOf(answer).reason === "insufficientFilePermissions" ? ("refused" as const) : undefined;
    },
  );
  if (outcome === "refused") await trashFile(client, id, options);
}

/** Puts a file, or a folder with all that is in it, into the trash. What is gone already is no error. */
export async function trashFile(client: DriveClient, id: string, options: CallOptions): Promise<void> {
  await client.call(
    (files, settings) =>
      files.update({ fileId: id, ...ANY_DRIVE, requestBody: { trashed: true }, fields: "id" }, settings),
    options,
    (answer) => (answer.status === 404 ? ("gone" as const) : undefined),
  );
}

/** The oldest first; of two of the same moment everybody takes the same one. */
export function byAge(one: DriveFile, other: DriveFile): number {
  return one.created.getTime() - other.created.getTime() || (one.id < other.id ? -1 : 1);
}

/** A text in a search. */
function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function incomplete(action: string): ProviderError {
  return new ProviderError("TRANSIENT", `Cannot ${action}: Google Drive has not searched everything.`, {
    fix: "Try again later.",
  });
}
