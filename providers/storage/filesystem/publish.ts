import { createHash } from "node:crypto";
import { link, lstat, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ProviderError } from "../../errors.ts";
import { isMissing, systemCode } from "./errors.ts";

/** What `link` says on a file system that has no hard links: FAT, exFAT, many network and FUSE file systems. */
const NO_HARD_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** What opening or syncing a folder says where that cannot be done; the file's own fsync has to do there. */
const NO_FOLDER_SYNC = new Set(["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EACCES", "EISDIR"]);

/**
 * Gives a finished file its final name, in the same folder, in one step and never in the place of another: a hard link
 * fails with `EEXIST` where the name is taken, while a rename would overwrite.
 */
export async function publish(partial: string, path: string): Promise<void> {
  try {
    await link(partial, path);
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT") throw removedDuringRun(partial, error);
    if (code === undefined || !NO_HARD_LINKS.has(code)) throw error;
    await renameClaimed(partial, path);
    return;
  }
  await unlink(partial);
}

/**
 * The same without hard links. Of those that want the same name only one can make the claim, a hidden file named after it,
 * and only who holds the claim may rename. A claim that a killed process left behind refuses that one name until
 * `removeUnfinished` takes it away.
 */
async function renameClaimed(partial: string, path: string): Promise<void> {
  const name = createHash("sha256").update(basename(path)).digest("hex").slice(0, 24);
  const claim = join(dirname(path), `.${name}.claim.partial`);
  await (await open(claim, "wx", 0o600)).close();
  try {
    await lstat(path).then(
      () => {
        throw Object.assign(new Error("The name is taken."), { code: "EEXIST" });
      },
      (error: unknown) => {
        if (!isMissing(error)) throw error;
      },
    );
    await rename(partial, path);
  } finally {
    await unlink(claim);
  }
}

/** Makes the new names in a folder, and in its parents up to `top`, survive a power cut. */
export async function syncFolders(folder: string, top: string): Promise<void> {
  for (let current = folder; ; current = dirname(current)) {
    await syncFolder(current);
    if (current === top) return;
  }
}

async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined || !NO_FOLDER_SYNC.has(code)) throw error;
  }
}

function removedDuringRun(partial: string, cause: unknown): ProviderError {
  return new ProviderError("TRANSIENT", `Somebody removed ${partial} while it was being written.`, {
    cause,
    fix: "Look for another program that tidies this folder, or for a prune on a machine whose clock is wrong.",
  });
}
