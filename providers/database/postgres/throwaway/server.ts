import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ThrowawayOptions, ThrowawayServer } from "../../database.ts";
import { abortedError, ProviderError } from "../../../errors.ts";
import { explainFull, makeScratchFolder, type ScratchFolder } from "../artifacts/scratch-folder.ts";
import { parseConnectionUrl } from "../connect/connection-url.ts";
import { withConnection } from "../connect/control-connection.ts";
import { findPrograms, type ProgramDirectory } from "../programs/clients.ts";
import { endWithRunner } from "../programs/command.ts";
import { handOver, makeServerFolder, type ServerUser, writeForServer } from "./server-user.ts";

/** Milliseconds in which a server's data folder must be made, in which it must answer, and in which it must end. */
const PATIENCE_MS = 60_000;
const END_PATIENCE_MS = 10_000;

/** Milliseconds between two attempts to connect to a server that is starting. */
const PAUSE_MS = 50;

/** Characters that the path of a unix socket may have, on Linux (sun_path) and on macOS, the shorter. */
const SOCKET_PATH = 103;

/** Since this major version the locale C.UTF-8 is the server's own; before, the machine must have it. */
const OWN_LOCALE_SINCE = 17;

/** Characters of a program's messages that are kept for an error. */
const KEPT = 2000;

/** Nothing that this server holds must survive a crash; a database may have many tables, and each takes a lock. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: "",
  fsync: "off",
  full_page_writes: "off",
  synchronous_commit: "off",
  wal_level: "minimal",
  max_wal_senders: "0",
  autovacuum: "off",
  jit: "off",
  // A container's /dev/shm is often small.
  dynamic_shared_memory_type: "mmap",
  max_connections: "50",
  max_locks_per_transaction: "1024",
  // What it logs of a statement might have a row's values.
  log_min_messages: "fatal",
  log_min_error_statement: "panic",
};

/**
 * Starts an empty server of the newest PostgreSQL on this machine, in a scratch folder, for this process alone: on a unix socket with
 * a password. It ends with this process however that ends; what kill -9 leaves on disk the next scratch folder removes.
 *
 * @throws ProviderError `CONFIG` where this machine has no server programs, or they cannot be used; `QUOTA` where there is no room
 */
export async function startThrowaway(options: ThrowawayOptions, signal: AbortSignal): Promise<ThrowawayServer> {
  const programs = await newestServer(options.clients);
  const scratch = await makeScratchFolder(options.scratch);
  try {
    const { folder, user } = await serverFolder(scratch, options.acceptSharedUser === true);
    const password = randomBytes(16).toString("hex");
    // A role that the backup may name, postgres above all, is then a role without rights.
    const superuser = `drill_${randomBytes(6).toString("hex")}`;
    await initialise(programs, folder, { superuser, password }, user, signal);
    const server = launch(programs, folder, user);
    const url = `postgresql://${superuser}:${password}@/postgres?host=${encodeURIComponent(folder)}`;
    try {
      await waitUntilReady(server, url, signal);
    } catch (error) {
      await end(server);
      throw error;
    }
    const stop = async () => {
      await end(server);
      await scratch.remove();
    };
    return { url, description: `a throwaway server of PostgreSQL ${programs.version}`, stop };
  } catch (error) {
    const explained = await explainFull(error, scratch.parent);
    await scratch.remove();
    throw signal.aborted ? abortedError(signal) : explained;
  }
}

async function newestServer(clients: string | undefined): Promise<ProgramDirectory> {
  const found = [
    ...(await findPrograms("initdb")),
    ...(clients === undefined ? [] : await findPrograms("initdb", clients)),
  ];
  const [newest] = found.sort((a, b) => b.major - a.major);
  if (newest !== undefined) return newest;
  throw new ProviderError(
    "CONFIG",
    "This machine has no PostgreSQL server for a drill: no initdb in the usual places or on PATH.",
    {
      fix:
        "Install one at least as new as the database's (Debian and Ubuntu: apt-get install postgresql), or name a server in the job: " +
        "drill: { target: { secret: drillServerUrl } }.",
    },
  );
}

/** The folder for the data and the socket, which the server's user owns. */
async function serverFolder({ path, parent }: ScratchFolder, acceptSharedUser: boolean) {
  const folder = join(path, "server");
  const length = join(folder, ".s.PGSQL.5432").length;
  if (length > SOCKET_PATH) {
    throw new ProviderError(
      "CONFIG",
      `${parent} is too long for the unix socket of a drill's server, by ${length - SOCKET_PATH} characters.`,
      {
        fix: "Name a scratch folder with a shorter path (database.scratch, or TMPDIR).",
      },
    );
  }
  // Its user must reach its own folder, and can read nothing else in there.
  for (const above of [path, dirname(path)]) await chmod(above, 0o711);
  const user = await makeServerFolder(folder, acceptSharedUser);
  if (user !== undefined) await requireEntry(await realpath(parent), user);
  return { folder, user };
}

/** Checks that a user can enter a folder, and all those above it. */
async function requireEntry(folder: string, { name, uid, gid }: ServerUser): Promise<void> {
  for (let each = folder; ; each = dirname(each)) {
    const found = await stat(each);
    const mayEnter = found.uid === uid ? 0o100 : found.gid === gid ? 0o010 : 0o001;
    if ((found.mode & mayEnter) === 0) {
      throw new ProviderError("CONFIG", `The drill's own server runs as ${name}, who cannot enter ${each}.`, {
        fix: `chmod o+x ${each}, or name another scratch folder (database.scratch, or TMPDIR).`,
      });
    }
    if (each === dirname(each)) return;
  }
}

const environment = () => ({ PATH: process.env.PATH ?? "", LC_ALL: "C", TZ: "UTC" });

async function initialise(
  { directory, major }: ProgramDirectory,
  folder: string,
  { superuser, password }: { readonly superuser: string; readonly password: string },
  user: ServerUser | undefined,
  signal: AbortSignal,
): Promise<void> {
  const file = join(folder, "password");
  await writeForServer(file, password, user);
  const locale =
    major < OWN_LOCALE_SINCE
      ? ["--locale=C.UTF-8"]
      : ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"];
  const args = [
    `--pgdata=${join(folder, "data")}`,
    `--username=${superuser}`,
    `--pwfile=${file}`,
    "--auth=scram-sha-256",
  ];
  const child = start(
    join(directory, "initdb"),
    [...args, "--encoding=UTF8", ...locale, "--no-sync"],
    folder,
    user && { ...user, ...user.maker },
  );
  const limit = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  const kill = () => {
    child.kill("SIGKILL");
  };
  limit.addEventListener("abort", kill, { once: true });
  if (limit.aborted) kill();
  const how = await child.ended;
  limit.removeEventListener("abort", kill);
  if (how === "0") {
    if (user !== undefined) await handOver(folder, user);
    return;
  }
  if (signal.aborted) throw abortedError(signal);
  throw couldNot("initdb", how, child.messages());
}

/** A program that was started, with the end of what it has written to its standard error. */
interface Started {
  /** Its exit code or the signal that ended it. */
  readonly ended: Promise<string>;
  messages(): string;
  readonly kill: (signal: "SIGQUIT" | "SIGKILL") => void;
}

/**
 * Runs a program until its standard input is closed, as when the runner ends: nobody but root may send a signal to what another user
 * runs.
 */
const UNTIL_CLOSED =
  'exec 3<&0; "$@" & p=$!; (read -r _ <&3; kill -s QUIT $p; sleep 10; kill -s KILL $p) >/dev/null 2>&1 & wait $p; c=$?; kill $!; exit $c';

function start(file: string, args: readonly string[], folder: string, user: ServerUser | undefined): Started {
  const [command = "", ...all] = user?.prefix
    ? [...user.prefix, "/bin/sh", "-c", UNTIL_CLOSED, "sh", file, ...args]
    : endWithRunner(file, args, "QUIT").flat();
  const child: ChildProcess = spawn(command, all, {
    ...(user !== undefined && user.prefix === undefined && { uid: user.uid, gid: user.gid }),
    cwd: folder,
    env: environment(),
    stdio: [user?.prefix ? "pipe" : "ignore", "ignore", "pipe"],
    detached: true,
  });
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-KEPT)));
  const ended = new Promise<string>((resolve) => {
    child.once("error", ({ message }) => {
      resolve(message);
    });
    child.once("close", (code, signal) => {
      resolve(String(code ?? signal));
    });
  });
  const kill = (signal: NodeJS.Signals) => {
    if (child.stdin) child.stdin.destroy();
    else child.kill(signal);
  };
  return { ended, messages: () => said.trim(), kill };
}

function launch({ directory }: ProgramDirectory, folder: string, user: ServerUser | undefined): Started {
  const settings = Object.entries({ ...SETTINGS, unix_socket_directories: folder }).flatMap(([name, value]) => [
    "-c",
    `${name}=${value}`,
  ]);
  const child = start(join(directory, "postgres"), ["-D", join(folder, "data"), ...settings], folder, user);
  const kill = () => {
    child.kill("SIGQUIT");
  };
  // This process's own end must not leave it behind.
  process.once("exit", kill);
  void child.ended.then(() => process.off("exit", kill));
  return child;
}

/** What is restored must not be able to leave anything in another database, where the runner connects. */
const OWN_DATABASE_ALONE = "REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC";

async function waitUntilReady(child: Started, url: string, signal: AbortSignal): Promise<void> {
  const connection = parseConnectionUrl(url);
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  let how: string | undefined;
  void child.ended.then((end) => (how = end));
  for (;;) {
    try {
      await withConnection(connection, deadline, (control) => control.query(OWN_DATABASE_ALONE));
      return;
    } catch {
      if (signal.aborted) throw abortedError(signal);
      if (how !== undefined || deadline.aborted)
        throw couldNot("postgres", how ?? `not ready after ${PATIENCE_MS / 1000} s`, child.messages());
      await sleep(PAUSE_MS);
    }
  }
}

/** Ends a server at once, and waits until it has ended. */
async function end({ kill, ended }: Started): Promise<void> {
  kill("SIGQUIT");
  const timer = setTimeout(() => {
    kill("SIGKILL");
  }, END_PATIENCE_MS);
  await ended;
  clearTimeout(timer);
}

/** A new server holds no data, so its messages have no row's values. */
function couldNot(program: string, how: string, messages: string): ProviderError {
  const said = messages === "" ? "" : ` ${messages}`;
  return new ProviderError("INTERNAL", `The drill's own server did not start: ${program} ended with ${how}.${said}`, {
    fix: "Mend what the message says, or name a server in the job's drill.target.",
  });
}
