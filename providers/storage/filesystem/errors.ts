import { statfs } from "node:fs/promises";
import { constants } from "node:os";
import { dirname } from "node:path";
import { ProviderError } from "../../errors.ts";
import { failureOf, type Meaning } from "../../meaning.ts";

/** The operating system's code of an error, for instance `ENOENT`. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  if (!error.code.startsWith("Unknown system error")) return error.code;
  // Node.js has no names for some of the codes, for instance EDQUOT and ESTALE.
  const number = "errno" in error ? error.errno : undefined;
  return Object.entries(constants.errno).find(([, value]) => -value === number)?.[0] ?? error.code;
}

/** Whether the error says that a file or one of its parents does not exist. */
export function isMissing(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** What a code of the operating system means for a caller, and what a person can do about it. */
const meanings: Readonly<Record<string, Meaning>> = {
  EACCES: ["AUTH", "permission denied", "Give the user that runs Provision read, write and search permission there."],
  EPERM: ["AUTH", "operation not permitted", "Check the owner, the attributes (lsattr) and the mount's options."],
  EROFS: ["AUTH", "the file system is mounted read-only", "Mount it read-write; if the kernel did it, check the disk."],
  ENOENT: ["NOT_FOUND", "it does not exist", "Check whether the folder was moved, removed or unmounted."],
  ENOTDIR: ["CONFLICT", "a part of the path is a file, not a folder", "Use another path, or move that file away."],
  EISDIR: ["CONFLICT", "there is a folder of that name", "Use another path, or move that folder away."],
  EEXIST: ["CONFLICT", "something of that name exists already", "Use another path, or move it away."],
  ENAMETOOLONG: ["CONFIG", "the name is too long for the file system", "Use a shorter path or prefix."],
  EILSEQ: ["CONFIG", "the file system does not take such a name", "Use a name of letters, digits, '.', '_' and '-'."],
  ELOOP: ["CONFIG", "a symbolic link is in the way", "Use the path that the link points to."],
  ENOSPC: ["QUOTA", "the file system is full", "Free some space, keep fewer backups, or use a larger disk."],
  EDQUOT: ["QUOTA", "the user's disk quota is used up", "Raise the quota (see quota(1)), or keep fewer backups."],
  EFBIG: [
    "QUOTA",
    "the file grew beyond a limit",
    "Raise the limit (ulimit -f), or use a file system for larger files.",
  ],
  EIO: ["TRANSIENT", "the disk reports an input/output error", "See the kernel's log (dmesg) and check the disk."],
  ESTALE: ["TRANSIENT", "the network file system lost the file", "Check the mount, and mount it again."],
  ETIMEDOUT: ["TRANSIENT", "the network file system does not answer", "Check its server and the network."],
  EHOSTDOWN: ["TRANSIENT", "the network file system does not answer", "Check its server and the network."],
  EMFILE: ["TRANSIENT", "too many files are open", "Raise the limit (ulimit -n)."],
  ENFILE: ["TRANSIENT", "too many files are open on this machine", "Raise the limit (sysctl fs.file-max)."],
  EBUSY: ["TRANSIENT", "it is in use", "Try again when nobody uses it."],
};

/** The `ProviderError` for a failed system call: `Cannot <action> <path>: <what the code means>`. */
export async function fromSystem(error: unknown, action: string, path: string): Promise<ProviderError> {
  if (error instanceof ProviderError) return error;
  const system = systemCode(error) ?? "unknown";
  const meaning = meanings[system];
  if (meaning === undefined) {
    const message = error instanceof Error ? error.message : String(error);
    return new ProviderError("INTERNAL", `Cannot ${action} ${path}: ${message}.`, { cause: error });
  }
  const [code, problem, fix] = meaning;
  const free = system === "ENOSPC" ? await freeSpace(path) : "";
  return failureOf(`${action} ${path}`, [code, problem + free, fix], system, { cause: error });
}

/** `, 1.2 MiB free` of the file system that would hold the path; nothing where it is not known. */
async function freeSpace(path: string): Promise<string> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    try {
      const { bavail, bsize } = await statfs(folder);
      return `, ${((bavail * bsize) / 1024 ** 2).toFixed(1)} MiB free`;
    } catch (error) {
      if (!isMissing(error) || folder === dirname(folder)) return "";
    }
  }
}
