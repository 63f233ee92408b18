import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { majorVersion } from "../programs/clients.ts";
import { packedArchive } from "../artifacts/directory-archive.ts";
import { type Program, runProgram } from "../programs/program.ts";
import { explainFull, makeScratchFolder, type ScratchFolder } from "../artifacts/scratch-folder.ts";
import { checkOnceBegun, type TableWatch } from "./table-watch.ts";

/** How a database is dumped by several workers. */
export interface ParallelDump {
  readonly jobs: number;
  /** Where the files are written. Default: the system's folder for temporary files. */
  readonly scratch: string | undefined;
  readonly signal: AbortSignal;
  /** Checked once pg_dump holds its locks. */
  readonly watch?: TableWatch | undefined;
}

/** The first pg_dump that compresses with zstd. */
const ZSTD_SINCE = 16;

/**
 * Dumps with several workers, each of which writes files of its own, and gives the files as one stream, a tar file, once all
 * are there. The workers compress: that is what they have the cores for, and the files take less room. The files are gone when
 * the stream has ended, however it ends.
 */
export function parallelDump(
  pgDump: (...args: string[]) => Program,
  { jobs, scratch, signal, watch }: ParallelDump,
): Readable {
  const stream = new PassThrough();
  const givenUp = new AbortController();
  // Destroying the stream ends the dump.
  stream.once("close", () => {
    givenUp.abort();
  });
  const chunks = async function* () {
    const folder = await makeScratchFolder(scratch);
    try {
      await dumpInto(folder, pgDump, jobs, AbortSignal.any([signal, givenUp.signal]), watch);
      yield* packedArchive(folder.path);
    } finally {
      await folder.remove();
    }
  };
  // What fails in here becomes the stream's own error.
  pipeline(chunks, stream).catch(() => undefined);
  return stream;
}

async function dumpInto(
  folder: ScratchFolder,
  pgDump: (...args: string[]) => Program,
  jobs: number,
  signal: AbortSignal,
  watch: TableWatch | undefined,
): Promise<void> {
  const program = pgDump("--format=directory", `--jobs=${jobs}`, `--file=${folder.path}`, "--no-sync");
  const compress = majorVersion(program.clients.version) >= ZSTD_SINCE ? "zstd:1" : "1";
  const spoiled = new AbortController();
  try {
    const complete = { ...program, args: [...program.args, `--compress=${compress}`] };
    const dumping = runProgram(complete, AbortSignal.any([signal, spoiled.signal]));
    const checking = watch === undefined ? undefined : checkOnceBegun(folder.path, dumping, watch);
    checking?.catch((error: unknown) => {
      spoiled.abort(error);
    });
    await dumping;
    await checking;
  } catch (error) {
    throw await explainFull(error, folder.parent);
  }
}
