import { execFile, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { ProviderError } from "../../../errors.ts";

/** Whom a drill's server runs as, where that is not this process's own user. */
export interface ServerUser {
  /** For people. */
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Whom the data folder is made as: `initdb` wants a user with a name. It runs no code of the backup. */
  readonly maker: { readonly uid: number; readonly gid: number };
  /** What is put before a command for it to run as that user; left out where this process is root. */
  readonly prefix?: readonly string[];
}

/**
 * The numbers that systemd gives to services for as long as they run, and to no other user or file:
 * https://systemd.io/UIDS-GIDS/, "Special systemd UID ranges".
 */
const FIRST_UID = 61_184;
const LAST_UID = 65_519;

/**
 * A copy of setpriv in the image that belongs to the drill's user and has the set-user-ID bit: it lets the runner become that user, whom
 * it gives no other right.
 */
const HELPER = "/usr/local/libexec/provision-drill";

/** The user that the image has for it. */
const HELPERS_UID = 10_002;

/** Milliseconds in which it answers. */
const PATIENCE_MS = 10_000;

/**
 * Returns whether a file can be changed by nobody: the drill's user owns its helper, and code of a backup that rewrote it would then run
 * as the runner.
 */
function isReadOnly(path: string): boolean {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const above = mounts
    .map((line) => line.split(" "))
    .filter(([, , , , point = "-"]) => path === point || path.startsWith(point.endsWith("/") ? point : `${point}/`));
  // Of mounts at one point the last one is on top.
  const [, , , , , options] = above.reduce((best, each) => ((each[4] ?? "") >= (best[4] ?? "") ? each : best), []);
  return options?.split(",").includes("ro") === true;
}

/** Returns what is put before a command for it to run as the image's user for drills; undefined if this machine has none that is safe. */
function helper(): string[] | undefined {
  if (!existsSync(HELPER) || !isReadOnly(HELPER)) return undefined;
  const ids = [`--reuid=${HELPERS_UID}`, `--regid=${HELPERS_UID}`];
  const prefix = [HELPER, ...ids, "--keep-groups"];
  const { status } = spawnSync(HELPER, [...prefix.slice(1), "/bin/true"], {
    stdio: "ignore",
    timeout: PATIENCE_MS,
    killSignal: "SIGKILL",
  });
  return status === 0 ? prefix : undefined;
}

/**
 * Makes the folder of a drill's server, for a user who can read neither this process nor its files, nor those of another server: a
 * number that nothing else on this machine has, where this process is root; in the image, a user that it has for that.
 *
 * @param accepted whether the server may run as this process's own user where neither can be had
 * @returns that user; undefined for this process's own
 * @throws ProviderError `CONFIG` where it may not
 */
export async function makeServerFolder(folder: string, accepted: boolean): Promise<ServerUser | undefined> {
  if (process.getuid?.() === 0) return asRoot(folder, accepted);
  const prefix = helper();
  if (prefix !== undefined) {
    const parent = dirname(folder);
    await chmod(parent, 0o1777);
    const [file = "", ...args] = prefix;
    await promisify(execFile)(file, [...args, "/bin/mkdir", "-m", "755", folder]);
    await chmod(parent, 0o711);
    const ids = { uid: HELPERS_UID, gid: HELPERS_UID };
    return { name: `the user ${HELPERS_UID}`, ...ids, maker: ids, prefix };
  }
  if (!accepted)
    throw shared(
      `the user ${process.getuid?.() ?? "of this process"}`,
      "as the runner does: code of the backup could read the runner's secrets",
    );
  await mkdir(folder, { mode: 0o700 });
  return undefined;
}

async function asRoot(folder: string, accepted: boolean): Promise<ServerUser> {
  const lines = (await readFile("/etc/passwd", "utf8").catch(() => "")).split("\n").map((line) => line.split(":"));
  const [, , uid, gid] = lines.find(([name]) => name === "nobody") ?? [];
  if (uid === undefined || gid === undefined) {
    throw new ProviderError("CONFIG", "A drill's own server cannot run as root, and /etc/passwd has no user nobody.", {
      fix: "Run the drill as another user, or name a server in the job's drill.target.",
    });
  }
  const maker = { uid: Number(uid), gid: Number(gid) };
  const own = await freeUid(new Set(lines.map(([, , each]) => Number(each))));
  await mkdir(folder, { mode: 0o700 });
  try {
    await chown(folder, own, own);
    return { name: `the user ${own}`, uid: own, gid: own, maker };
  } catch (error) {
    // A container without these numbers.
    if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
    if (!accepted) throw shared("nobody", "as other programs may do: code of the backup could read what they hold");
    return { name: "nobody", ...maker, maker };
  } finally {
    await chown(folder, maker.uid, maker.gid).catch(() => undefined);
  }
}

/** A number that neither a user nor a process has. */
async function freeUid(taken: Set<number>): Promise<number> {
  for (const name of await readdir("/proc").catch(() => [])) {
    if (/^\d+$/.test(name))
      taken.add(
        await stat(`/proc/${name}`).then(
          ({ uid }) => uid,
          () => 0,
        ),
      );
  }
  for (;;) {
    const uid = randomInt(FIRST_UID, LAST_UID + 1);
    if (!taken.has(uid)) return uid;
  }
}

function shared(user: string, why: string): ProviderError {
  return new ProviderError("CONFIG", `The drill's own server would run as ${user}, ${why}.`, {
    fix:
      "Run the drill as root, or in the image with --read-only: the server then has its own user. Or name a server in the job's drill.target; or accept it with " +
      "acceptSharedUser: true in the job's drill.",
  });
}

/** Writes a file in that folder which its user alone may read. */
export async function writeForServer(file: string, text: string, user: ServerUser | undefined): Promise<void> {
  const [command, ...args] = user?.prefix ?? [];
  if (command === undefined) {
    await writeFile(file, text, { mode: 0o600 });
    if (user !== undefined) await chown(file, user.maker.uid, user.maker.gid);
  } else {
    spawnSync(command, [...args, "/bin/sh", "-c", 'umask 077; cat >"$0"', file], { input: text });
  }
}

/** Gives a folder with all that is in it to the server's user, once it is made. */
export async function handOver(folder: string, { uid, gid, maker }: ServerUser): Promise<void> {
  if (maker.uid !== uid) await promisify(execFile)("chown", ["-hR", `${uid}:${gid}`, folder]);
}

/** Removes what the image's user for drills has left in a folder of this process's user; it may have left nothing. */
export function removeHelpers(folder: string): void {
  const [file = "", ...args] = helper() ?? [];
  if (file !== "") spawnSync(file, [...args, "/bin/rm", "-rf", folder], { stdio: "ignore" });
}
