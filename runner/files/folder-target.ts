import { openFolder } from "../../providers/storage/index.ts";
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
    buckets: () => Promise.resolve([]),
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
