import { join } from "node:path";
import { fileURLToPath } from "node:url";

const cli = fileURLToPath(new URL("../../runner/cli.js", import.meta.url));

/** One way to dump a database, as a shell command that ends when all is done. */
export interface Case {
  readonly name: string;
  readonly command: string;
  /** Whether it is this program, whose memory is measured. */
  readonly own: boolean;
}

/** The cases that are compared. `$URL` is the database, `$OUT` an empty folder for what is written. */
export function cases(binDirectory: string, jobs: { readonly plain: string; readonly encrypted: string }): Case[] {
  const pgDump = `${join(binDirectory, "pg_dump")} -Fc`;
  const peer = (name: string, command: string) => ({ name, command, own: false });
  const own = (name: string, job: string, options = "") => ({
    name,
    command: `exec ${process.execPath} --expose-gc ${cli} backup --job ${job} --log-level error --no-prune ${options}`,
    own: true,
  });
  return [
    peer("pg_dump -Fc", `${pgDump} "$URL" > $OUT/dump`),
    peer("pg_dump -Fc -Z0 | zstd -1 -T0", `${pgDump} -Z0 "$URL" | zstd -q -1 -T0 -o $OUT/dump`),
    peer("pg_dump -Fc -Z0 > /dev/null", `${pgDump} -Z0 "$URL" > /dev/null`),
    own("provision backup --no-verify", jobs.plain, "--no-verify"),
    own("provision backup", jobs.plain),
    own("provision backup --no-verify, encrypted", jobs.encrypted, "--no-verify"),
    own("provision backup, encrypted", jobs.encrypted),
  ];
}

/** A ratio of two cases, and what it must not exceed. */
interface RatioLimit {
  readonly of: string;
  readonly to: string;
  readonly atMost: number;
}

const ratios: readonly RatioLimit[] = [
  { of: "provision backup --no-verify", to: "pg_dump -Fc", atMost: 0.33 },
  { of: "provision backup --no-verify", to: "pg_dump -Fc -Z0 | zstd -1 -T0", atMost: 1.0 },
  { of: "provision backup --no-verify", to: "pg_dump -Fc -Z0 > /dev/null", atMost: 1.3 },
  { of: "provision backup --no-verify, encrypted", to: "provision backup --no-verify", atMost: 1.3 },
  { of: "provision backup", to: "provision backup --no-verify", atMost: 1.4 },
];

/** What the program promises. */
export const limits = {
  /** Times of cases on the same database. */
  ratios,
  /** Peak memory of the Node.js process, whatever the database weighs. */
  megabytes: 180,
  /** The largest peak of a case to its smallest, over the sizes. */
  growth: 1.15,
  /** Time of a whole run on an empty database. */
  emptySeconds: 1.5,
};
