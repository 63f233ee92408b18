import type { CallOptions } from "../../http/service-client.ts";
import type { Folders } from "./folders.ts";

/**
 * Removes folders of ours in which nothing is left, below a folder, and says how many there were: an upload that fails leaves
 * those that it made, because others may be about to use them.
 *
 * @param path names of the folder, below the store's; it stays itself
 * @param madeBefore younger ones stay, with all that they are in
 * @param isUsed whether a folder, by its path, is known to hold something that searches may not show yet
 */
export async function removeEmptyFolders(
  folders: Folders,
  path: readonly string[],
  madeBefore: Date,
  isUsed: (path: readonly string[]) => boolean,
  options: CallOptions,
): Promise<number> {
  let removed = 0;
  /** Whether nothing is left in it. */
  const visit = async (id: string, at: readonly string[]): Promise<boolean> => {
    let left = 0;
    for (const child of await folders.list(id, options)) {
      const below = [...at, child.name];
      const isEmpty = child.isFolder && (await visit(child.id, below));
      if (isEmpty && child.own && child.created < madeBefore && !isUsed(below)) {
        await folders.removeEmpty(child.id, options);
        removed += 1;
      } else {
        left += 1;
      }
    }
    return left === 0;
  };
  for (const id of await folders.find(path, options)) await visit(id, path);
  return removed;
}
