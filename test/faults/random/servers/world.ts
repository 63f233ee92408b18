import { execFile, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { FaultyPostgres } from "./postgres-server.ts";
import { FaultyS3 } from "./s3-server.ts";
import { makeSources, type Content, type Source } from "./sources.ts";

/** What the runs of one lane share, one after the other: servers, their databases, keys, and the runner itself. */
export interface World {
  readonly postgres: FaultyPostgres;
  /** Undefined where no S3 server could be had. */
  readonly s3: FaultyS3 | undefined;
  readonly contents: ReadonlyMap<Source, Content>;
  /** Stands in rows and files of every source, and must be seen nowhere else. */
  readonly marker: string;
  readonly identity: string;
  readonly recipient: string;
  /** 64 hexadecimal digits. */
  readonly signingKey: string;
  /** The program and its first arguments. */
  readonly runner: readonly string[];
  /** Milliseconds after which any command counts as hanging. Default: the job's time limit and some more than a minute. */
  readonly limitMs?: number;
  /** Milliseconds that the last backups of each database have taken: moments are drawn as parts of it. */
  readonly pace: Map<Source, number>;
  stop(): Promise<void>;
}

/** How long the program takes to start here, in milliseconds. */
async function startMs([program = "", ...args]: readonly string[]): Promise<number> {
  const begun = performance.now();
  await promisify(execFile)(program, [...args, "--help"]);
  return performance.now() - begun;
}

/** Starts the servers of a lane. */
export async function openWorld(parts: Pick<World, "runner"> & { readonly withS3: boolean }): Promise<World> {
  const postgres = await FaultyPostgres.start();
  const s3 = parts.withS3 ? await FaultyS3.start() : undefined;
  const marker = `ROW${randomBytes(9).toString("hex")}`;
  const key = execFileSync("age-keygen", { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return {
    postgres,
    s3,
    contents: await makeSources(postgres, marker),
    marker,
    identity: /^AGE-SECRET-KEY-.*$/m.exec(key)?.[0] ?? "",
    recipient: /age1[a-z0-9]+/.exec(key)?.[0] ?? "",
    signingKey: randomBytes(32).toString("hex"),
    runner: parts.runner,
    // A first guess, from the start of the program.
    pace: new Map([["small", 5 * (await startMs(parts.runner))]]),
    stop: async () => {
      s3?.stop();
      await postgres.stop();
    },
  };
}
