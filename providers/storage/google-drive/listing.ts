import type { CallOptions } from "../../http/service-client.ts";
import type { DriveFile } from "./files.ts";
import type { Folders } from "./folders.ts";

/** Folders that are looked into at the same time. */
const PARALLEL = 6;

/**
 * Our own files below a folder by their paths in it, in no order; of several of a path the oldest.
 *
 * @param path names of the folder, below the store's
 */
export async function filesBelow(
  folders: Folders,
  path: readonly string[],
  options: CallOptions,
): Promise<Map<string, DriveFile>> {
  const found = new Map<string, DriveFile>();
  // Here and not above: the deployment, which only reads the schemas, does not need it.
  const { default: pLimit } = await import("p-limit");
  const limit = pLimit(PARALLEL);
  const visit = async (id: string, prefix: string): Promise<void> => {
    const children = await limit(() => folders.list(id, options));
    for (const child of children) {
      const key = `${prefix}${child.name}`;
      const older = found.get(key);
      if (!child.isFolder && child.own && (older === undefined || child.created < older.created)) found.set(key, child);
    }
    const inside = children.filter(({ isFolder }) => isFolder);
    await Promise.all(inside.map((folder) => visit(folder.id, `${prefix}${folder.name}/`)));
  };
  try {
    const roots = await folders.find(path, options);
    await Promise.all(roots.map((id) => visit(id, path.map((name) => `${name}/`).join(""))));
  } finally {
    // After a failure nothing that still waits is begun.
    limit.clearQueue();
  }
  return found;
}
