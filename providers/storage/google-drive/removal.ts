import { abortedError, toProviderError } from "../../errors.ts";
import type { ProviderError } from "../../errors.ts";
import type { DriveClient } from "./client.ts";
import { removeFile } from "./files.ts";
import type { Folders } from "./folders.ts";

/** Requests under way at the same time: more of them run into the service's limit of writes. */
const PARALLEL = 4;

/** An object to remove. */
export interface Removal {
  readonly key: string;
  /** Names of its folder, below the store's. */
  readonly folder: readonly string[];
  readonly name: string;
  /** The file, as far as it is known already: searches may not show it yet. */
  readonly id: string | undefined;
}

/**
 * Removes objects, all files of each key, and the folders that are empty then.
 *
 * @returns the error of each object that stayed, by its key
 */
export async function removeFiles(
  client: DriveClient,
  folders: Folders,
  removals: readonly Removal[],
  signal: AbortSignal | undefined,
): Promise<Map<string, ProviderError>> {
  const failures = new Map<string, ProviderError>();
  const byFolder = Map.groupBy(removals, ({ folder }) => folder.join("/"));
  for (const group of byFolder.values()) {
    try {
      for (const [key, error] of await removeGroup(client, folders, group, signal)) failures.set(key, error);
    } catch (error) {
      if (signal?.aborted === true) throw abortedError(signal);
      for (const { key } of group) failures.set(key, toProviderError(error));
    }
  }
  return failures;
}

/** Removes objects of one folder. */
async function removeGroup(
  client: DriveClient,
  folders: Folders,
  group: readonly Removal[],
  signal: AbortSignal | undefined,
): Promise<Map<string, ProviderError>> {
  const failures = new Map<string, ProviderError>();
  const path = group[0]?.folder ?? [];
  const options = {
    action: `remove ${group
      .map(({ key }) => key)
      .slice(0, 3)
      .join(", ")}`,
    signal,
  };
  const byName = new Map(group.map((removal) => [removal.name, removal]));
  const doomed = new Map(group.flatMap(({ id, key }) => (id === undefined ? [] : [[id, key] as const])));
  const holders = await folders.find(path, options);
  const others = new Set<string>();
  for (const holder of holders) {
    for (const file of await folders.list(holder, options)) {
      const removal = file.own && !file.isFolder ? byName.get(file.name) : undefined;
      if (removal === undefined) others.add(holder);
      else doomed.set(file.id, removal.key);
    }
  }
  // Here and not above: the deployment, which only reads the schemas, does not need it.
  const { default: pLimit } = await import("p-limit");
  const limit = pLimit(PARALLEL);
  await limit.map([...doomed], async ([id, key]) => {
    await removeFile(client, id, { action: `remove ${key}`, signal }).catch((error: unknown) => {
      failures.set(key, toProviderError(error));
    });
  });
  // The store's own folder stays.
  if (path.length > 0 && failures.size === 0 && doomed.size > 0) {
    for (const holder of holders.filter((id) => !others.has(id))) {
      // One that stays does no harm.
      await folders.removeEmpty(holder, options).catch(() => undefined);
    }
  }
  return failures;
}
