import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import { ProviderError } from "../../../providers/errors.ts";
import { openFolder } from "../../../providers/storage/index.ts";
import { FolderNames } from "./folder-names.ts";
import type { FilesTarget } from "./restore-files.ts";

/**
 * A folder that files are restored into, as `<bucket>/<path>`; see {@link FolderNames} for names that a folder cannot have.
 * Attributes have no place there.
 */
export async function folderTarget(path: string): Promise<FilesTarget> {
  const storage = await openFolder(path);
  const names = new FolderNames();
  return {
    description: path,
    async buckets() {
      await requireWritable(path);
      return [];
    },
    makeBucket: () => Promise.resolve(),
    foresee: (file) => {
      names.foresee(file);
    },
    async write(file, source, { signal }) {
      const name = names.pathOf(file);
      await storage.upload(name, source, { signal, sizeEstimate: file.size });
      return name === `${file.bucket}/${file.path}` ? [] : [`It is ${name}, as a folder cannot have its name.`];
    },
    close: () => storage.close(),
  };
}

/** @throws {ProviderError} `CONFIG` where the folder cannot be used, or cannot be made because of one above it */
async function requireWritable(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return requireWritable(dirname(path));
    throw new ProviderError("CONFIG", `Files cannot be restored into the folder ${path}: ${code}.`, {
      fix: "Name a folder that this user may read and write, or one that can be made, with --files.",
    });
  }
}
