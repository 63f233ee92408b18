import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Data } from "./data.ts";

const runner = (file: string) => fileURLToPath(new URL(`../../runner/${file}`, import.meta.url));
const cli = runner("cli.js");

/**
 * Fills V8's cache of compiled modules, as the image has it. Else the first run that loads a module compiles it, and holds 20 MB more: in
 * a checkout, Node.js loads what takes the types out.
 */
export const COMPILE: readonly string[] = [process.execPath, "--import", runner("compile.js"), cli, "--help"];

/** One way to dump or to restore a database, as a shell command that ends when all is done. */
export interface Case {
  readonly name: string;
  readonly command: string;
  /** Whether it is this program, whose memory is measured. */
  readonly own: boolean;
  /** Whether it fills the new, empty database `$TARGET`. */
  readonly restores?: boolean;
}

/** What the cases work with. */
export interface Setup {
  /** Folder of the clients of the server's version. */
  readonly clients: string;
  /** Folder of clients of version 16 or newer, whose pg_dump compresses with zstd and lz4 itself. */
  readonly newerClients: string | undefined;
  /** Files of jobs. */
  readonly plain: string;
  readonly encrypted: string;
}

const own = (name: string, command: string, job: string, options: string, restores = false): Case => ({
  name,
  command: `exec ${process.execPath} ${cli} ${command} --job ${job} --log-level error ${options}`,
  own: true,
  restores,
});

/** The dumps that are compared. `$URL` is the database, `$OUT` an empty folder for what is written. */
export function dumps({ clients, newerClients, plain, encrypted }: Setup): Case[] {
  const pgDump = `${join(clients, "pg_dump")} -Fc`;
  const peer = (name: string, command: string) => ({ name, command, own: false });
  const backup = (name: string, job: string, options = "") => own(name, "backup", job, `--no-prune ${options}`);
  const newer = newerClients === undefined ? undefined : join(newerClients, "pg_dump");
  return [
    peer("pg_dump -Fc", `${pgDump} "$URL" > $OUT/dump`),
    peer("pg_dump -Fc -Z0 | zstd -1 -T0", `${pgDump} -Z0 "$URL" | zstd -q -1 -T0 -o $OUT/dump`),
    peer("pg_dump -Fc -Z0 > /dev/null", `${pgDump} -Z0 "$URL" > /dev/null`),
    ...(newer === undefined
      ? []
      : ["zstd:1", "lz4"].map((method) =>
          peer(`pg_dump -Fc -Z ${method}`, `${newer} -Fc -Z ${method} "$URL" > $OUT/dump`),
        )),
    backup("provision backup --no-verify", plain, "--no-verify"),
    backup("provision backup", plain),
    backup("provision backup --no-verify, encrypted", encrypted, "--no-verify"),
    backup("provision backup, encrypted", encrypted),
  ];
}

/** The restores that are compared. `$DUMP` is what `pg_dump -Fc -Z0 | zstd -1` wrote; the job's folder has the same as a backup. */
export function restores({ clients, plain }: Setup): Case[] {
  const pgRestore = join(clients, "pg_restore");
  const peer = (name: string, command: string) => ({ name, command, own: false, restores: true });
  const restore = (name: string, options = "") =>
    own(name, "restore latest", plain, `--to env:TARGET ${options}`, true);
  return [
    peer("zstd -d | pg_restore -1", `zstd -qdc $DUMP | ${pgRestore} -1 -d "$TARGET"`),
    peer("zstd -d, pg_restore -j 2", `zstd -qd $DUMP -o $OUT/dump && ${pgRestore} -j 2 -d "$TARGET" $OUT/dump`),
    restore("provision restore"),
    restore("provision restore --trust-store", "--trust-store"),
    restore("provision restore --jobs 2", "--jobs 2"),
  ];
}

/** A ratio of two cases, and what it must not exceed. */
export interface RatioLimit {
  readonly of: string;
  readonly to: string;
  readonly atMost: number;
}

/** From how many megabytes on the start of the runner no longer counts. */
const LARGE = 2000;

/** What is promised of the times of cases on the same database. */
export function ratioLimits({ easy }: Data, megabytes: number): RatioLimit[] {
  const backup = "provision backup --no-verify";
  return [
    { of: backup, to: "pg_dump -Fc", atMost: easy ? 1 : 0.3 },
    { of: backup, to: "pg_dump -Fc -Z0 | zstd -1 -T0", atMost: megabytes >= LARGE ? 1.05 : 1.15 },
    { of: backup, to: "pg_dump -Fc -Z0 > /dev/null", atMost: 1.3 },
    { of: "provision backup", to: backup, atMost: 1.25 },
    { of: "provision backup --no-verify, encrypted", to: backup, atMost: 1.1 },
    { of: "provision restore", to: "zstd -d | pg_restore -1", atMost: 1.03 },
    { of: "provision restore --jobs 2", to: "zstd -d, pg_restore -j 2", atMost: 1.1 },
  ];
}

/** Other ratios that are shown, without a limit. */
export const SHOWN: readonly Omit<RatioLimit, "atMost">[] = [
  { of: "provision backup --no-verify", to: "pg_dump -Fc -Z zstd:1" },
  { of: "provision backup --no-verify", to: "pg_dump -Fc -Z lz4" },
  // Shows what it costs to read a backup twice.
  { of: "provision restore", to: "provision restore --trust-store" },
];

/** What else is promised. */
export const limits = {
  /** Peak memory of the Node.js process, whatever the database weighs. */
  megabytes: 150,
  /** The largest peak of a case to its smallest, over the sizes of one kind of data. */
  growth: 1.15,
  /** Time of a whole run on an empty database. */
  emptySeconds: 0.3,
};
