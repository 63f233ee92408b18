import { createStorage, StorageConfig } from "../../providers/storage/index.ts";
import type { FilesTarget } from "./restore-files.ts";

/** A folder that files are restored into, as `<bucket>/<path>`. Their attributes have no place there. */
export async function folderTarget(path: string): Promise<FilesTarget> {
  const storage = await createStorage(StorageConfig.parse({ kind: "filesystem", path }), { secrets: {} });
  return {
    description: path,
    makeBucket: () => Promise.resolve(),
    async write({ bucket, path: name, size }, source, { signal }) {
      await storage.upload(`${bucket}/${name}`, source, { signal, sizeEstimate: size });
    },
    close: () => storage.close(),
  };
}
