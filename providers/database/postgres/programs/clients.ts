import { execFile } from "node:child_process";
import { readdir, realpath } from "node:fs/promises";
import { basename, delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { ProviderError } from "../../../errors.ts";

/** A folder with the programs of one PostgreSQL version. */
export interface ProgramDirectory {
  /** Absolute path. */
  readonly directory: string;
  /** As the program says, for instance `15.18`. */
  readonly version: string;
  readonly major: number;
}

/** Milliseconds in which a program must print its version. */
const VERSION_TIMEOUT_MS = 10_000;

/** Where packages put programs: a folder that holds one folder per version, and where in each the programs are. */
const PACKAGE_FOLDERS = [
  { root: "/usr/lib/postgresql", bin: "bin" }, // Debian, Ubuntu, PGDG for both
  { root: "/usr", entry: /^pgsql-\d+$/, bin: "bin" }, // PGDG for Red Hat and its kin
  { root: "/usr/libexec", entry: /^postgresql\d+$/, bin: "" }, // Alpine
  { root: "/opt/homebrew/opt", entry: /^(postgresql|libpq)(@\d+)?$/, bin: "bin" }, // Homebrew, Apple silicon
  { root: "/usr/local/opt", entry: /^(postgresql|libpq)(@\d+)?$/, bin: "bin" }, // Homebrew, Intel
  { root: "/home/linuxbrew/.linuxbrew/opt", entry: /^(postgresql|libpq)(@\d+)?$/, bin: "bin" },
];

/** What a search for a program has found. */
export interface ProgramSearch {
  readonly found: ProgramDirectory[];
  /** The folders of programs that did not print their version in time. */
  readonly silent: readonly string[];
}

/**
 * All folders that hold a PostgreSQL program: the oldest major version first, and of each the newest minor release. They are those of
 * the usual packages, and those on PATH.
 *
 * @param program for instance `pg_dump`
 * @param only search this folder alone
 */
export async function findPrograms(program: string, only?: string): Promise<ProgramDirectory[]> {
  return (await searchPrograms(program, only)).found;
}

/** As {@link findPrograms}, with what did not answer. */
export async function searchPrograms(program: string, only?: string): Promise<ProgramSearch> {
  const silent: string[] = [];
  const ask = (directory: string) => inspect(directory, program, silent);
  if (only !== undefined) {
    const found = await ask(only);
    return { found: found === undefined ? [] : [{ ...found.program, directory: only }], silent };
  }
  const candidates = [...(await packageDirectories()), ...pathDirectories()];
  const found = await Promise.all(candidates.map(ask));
  const unique = new Map(found.flatMap((each) => (each === undefined ? [] : [[each.file, each.program] as const])));
  return {
    found: [...unique.values()].sort((a, b) => a.major - b.major || compareVersions(b.version, a.version)),
    silent,
  };
}

/**
 * The clients for a server: the oldest installed major version that is not older than the server's, in its newest minor release. pg_dump refuses a
 * newer server, and an older pg_dump writes archives that more versions of pg_restore can read.
 *
 * @param needed the lowest major version that fits
 * @param reason what needs it, for the error: `the server is PostgreSQL 17.4`
 * @param only the folder that the configuration names, if it does
 * @param search what {@link searchPrograms} finds there, where it was called before
 * @throws {ProviderError} `CONFIG` where none fits, `TRANSIENT` where one that does not answer may
 */
export async function chooseClients(
  needed: number,
  reason: string,
  only?: string,
  search = searchPrograms("pg_dump", only),
): Promise<ProgramDirectory> {
  const { found, silent } = await search;
  const fitting = found.find((client) => client.major >= needed);
  if (fitting !== undefined) return fitting;
  if (silent.length > 0) {
    const seconds = VERSION_TIMEOUT_MS / 1000;
    throw new ProviderError(
      "TRANSIENT",
      `pg_dump in ${silent.join(", ")} did not print its version within ${seconds} s.`,
      {
        fix: "Run it again. If it happens again, run `pg_dump --version` there by hand: the file system or the machine does not answer.",
      },
    );
  }
  const where = only === undefined ? "in the usual places and on PATH" : `in ${only}`;
  const have = found.map((client) => `${client.version} in ${client.directory}`).join(", ");
  const problem = `No PostgreSQL client programs of version ${needed} or newer: ${reason}; found ${where}: ${have || "none"}.`;
  throw new ProviderError("CONFIG", problem, {
    fix:
      `Install the client programs of PostgreSQL ${needed} or newer (Debian and Ubuntu: apt-get install postgresql-client-${needed}, ` +
      "from apt.postgresql.org where the distribution's are older), or set `clients` to the folder that holds them.",
  });
}

/**
 * Why an archive that these clients make of a server may not be restorable into the same version, and what to install; undefined
 * where they are of the server's release or a later one of its major version. Both are versions such as `15.20`.
 */
export function archiveRisk(
  client: string,
  server: string,
): { readonly detail: string; readonly fix: string } | undefined {
  const major = majorVersion(server);
  if (majorVersion(client) > major) {
    return {
      detail: `its archives cannot always be restored into PostgreSQL ${major}, because it is of a newer major version`,
      fix: `Install the client programs of PostgreSQL ${major} (postgresql-client-${major}), or set \`clients\` to their folder.`,
    };
  }
  if (majorVersion(client) < major || compareVersions(client, server) >= 0) return undefined;
  return {
    detail: `it is older than the server's release ${server}, of which it may not know everything`,
    fix: `Update the client programs to PostgreSQL ${server} or newer.`,
  };
}

async function packageDirectories(): Promise<string[]> {
  const listed = await Promise.all(
    PACKAGE_FOLDERS.map(async ({ root, entry, bin }) => {
      const names = await readdir(root).catch(() => []);
      return names.filter((name) => entry?.test(name) ?? true).map((name) => join(root, name, bin));
    }),
  );
  return listed.flat();
}

function pathDirectories(): string[] {
  return (process.env.PATH ?? "").split(delimiter).filter((directory) => directory.startsWith("/"));
}

async function inspect(
  directory: string,
  program: string,
  silent: string[],
): Promise<{ file: string; program: ProgramDirectory } | undefined> {
  try {
    const file = await realpath(join(directory, program));
    // Debian's /usr/bin holds a Perl program that picks a version by rules of its own.
    if (basename(file) === "pg_wrapper") return undefined;
    const { stdout } = await promisify(execFile)(join(directory, program), ["--version"], {
      env: { LC_ALL: "C", PATH: process.env.PATH ?? "" },
      timeout: VERSION_TIMEOUT_MS,
      // One that is stopped takes no other signal.
      killSignal: "SIGKILL",
    });
    const version = /\(PostgreSQL\) (\d+[\w.]*)/.exec(stdout)?.[1];
    if (version === undefined) return undefined;
    return { file, program: { directory: dirname(file), version, major: majorVersion(version) } };
  } catch (error) {
    if ((error as { readonly killed?: boolean }).killed === true) silent.push(directory);
    return undefined;
  }
}

/**
 * The major version in a version such as `15.18` or `18beta1`.
 *
 * @throws {ProviderError} `INTEGRITY` for anything else, which only a manifest can say
 */
export function majorVersion(version: string): number {
  const major = Number.parseInt(version, 10);
  if (!Number.isNaN(major)) return major;
  throw new ProviderError("INTEGRITY", `The backup's manifest has "${version}" as a version of PostgreSQL.`, {
    fix: "Choose another backup, or this one from another destination.",
  });
}

function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
