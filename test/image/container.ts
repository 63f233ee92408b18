import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { BuiltImage } from "../../tools/image.ts";
import type { Ended } from "../helpers/sandbox.ts";

/** How a container runs, beside what the image itself says. */
interface ContainerOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** A folder of this machine that is `/mnt` in the container. */
  readonly folder: string;
  /** Program and first arguments in the place of the image's own. */
  readonly entrypoint?: readonly string[];
}

/** A running container. */
export interface Container {
  readonly ended: Promise<Ended>;
  /** Does what `docker stop` does first: sends SIGTERM to the container's first process. */
  stop(): void;
}

/**
 * What a container engine does, as ECS is configured to: an own process table in which the program is the first process, a
 * root that nobody can write to, scratch space, the image's user, and no capability. The network is this
 * machine's.
 */
const script = `set -eu
root=$1 folder=$2 user=$3 directory=$4
shift 4
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o "mode=0711,uid=\${user%:*},gid=\${user#*:}" scratch "$root/scratch"
mount --bind "$folder" "$root/mnt"
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv --reuid="\${user%:*}" --regid="\${user#*:}" --clear-groups --bounding-set=-all \\
  --inh-caps=-all env --chdir="$directory" "$@"`;

/** Starts a container of an image. */
export function startContainer(
  { root, config }: BuiltImage,
  args: readonly string[],
  { environment = {}, folder, entrypoint = config.Entrypoint }: ContainerOptions,
): Container {
  const child = spawn(
    "/usr/bin/unshare",
    [
      ...["--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", script, "sh"],
      ...[root, folder, config.User, config.WorkingDir, ...entrypoint, ...args],
    ],
    {
      env: { ...Object.fromEntries(config.Env.map(nameAndValue)), ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject).once("close", (code, signal) => {
      resolve({ code, signal, stdout, stderr });
    });
  });
  return {
    ended,
    stop: () => {
      process.kill(firstProcess(child), "SIGTERM");
    },
  };
}

function firstProcess({ pid = 0 }: ChildProcess): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8"));
}

function nameAndValue(variable: string): [name: string, value: string] {
  const end = variable.indexOf("=");
  return [variable.slice(0, end), variable.slice(end + 1)];
}
