import { readFile } from "node:fs/promises";
import { ProviderError } from "../../../errors.ts";

/** Whom a server runs as. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Users that may run a server where this process is root, the first that exists: that of the packages, or that without any rights. */
const CANDIDATES = ["postgres", "nobody"];

/**
 * Whom a server runs as, since PostgreSQL refuses root; undefined for this process's own user, where that is another.
 *
 * @throws ProviderError `CONFIG` where root has nobody to run it as
 */
export async function serverUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const lines = (await readFile("/etc/passwd", "utf8").catch(() => "")).split("\n").map((line) => line.split(":"));
  for (const name of CANDIDATES) {
    const [, , uid, gid] = lines.find((fields) => fields[0] === name) ?? [];
    if (uid !== undefined && gid !== undefined) return { name, uid: Number(uid), gid: Number(gid) };
  }
  throw new ProviderError(
    "CONFIG",
    `A drill's own server cannot run as root, and /etc/passwd has no user ${CANDIDATES.join(" or ")}.`,
    {
      fix: "Run the drill as another user, or name a server in the job's drill.target.",
    },
  );
}
