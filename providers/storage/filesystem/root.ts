import { lstat, readlink, rmdir, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { ProviderError } from "../../errors.ts";
import { fromSystem, isMissing, systemCode } from "./errors.ts";
import { makeFolder, makeFolders } from "./files.ts";

/** The folder that a store keeps all its objects in. It may be a symbolic link; below it none is followed. */
export class Root {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Makes a folder below the root, and returns the topmost one that may hold a new entry. */
  async makeFolders(folder: string): Promise<string> {
    if (await this.has(folder)) return this.path;
    const made = await makeFolders(this.path);
    // One by one, to follow no symbolic link.
    let current = this.path;
    for (const segment of relative(this.path, folder).split("/")) {
      current = join(current, segment);
      if (!(await this.has(current))) await makeFolder(current);
    }
    return made === undefined ? this.path : dirname(made);
  }

  /**
   * Whether a folder at or below the root exists. `CONFIG` where the way there has a symbolic link below the root: what a
   * listing shows under one job's name, and a prune removes, could be another job's. The root itself may be a link.
   */
  async has(folder: string): Promise<boolean> {
    try {
      if ((await stat(this.path)).isFile()) {
        throw new ProviderError("CONFIG", `${this.path} is a file, and backups are kept in a folder.`, {
          fix: "Set path to a folder, which need not exist yet, or move the file away.",
        });
      }
      let current = this.path;
      for (const segment of relative(this.path, folder).split("/")) {
        current = join(current, segment);
        if (current !== this.path && (await lstat(current)).isSymbolicLink()) throw await linked(current, this.path);
      }
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw await fromSystem(error, "check", folder);
    }
  }

  /** Removes a folder and its parents below the root as far as they are empty. One that cannot be removed stays. */
  async removeEmptyFolders(folder: string): Promise<void> {
    for (let current = folder; current !== this.path; current = dirname(current)) {
      try {
        await rmdir(current);
      } catch (error) {
        if (systemCode(error) !== "ENOENT") return;
      }
    }
  }
}

async function linked(link: string, root: string): Promise<ProviderError> {
  const target = resolve(dirname(link), await readlink(link));
  return new ProviderError(
    "CONFIG",
    `${link} is a symbolic link to ${target}, and below ${root} no link is followed.`,
    { fix: "Remove the link, or set path to the folder that it leads to." },
  );
}
