import { readdir } from "node:fs/promises";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

/** Fails where a table is no longer as the snapshot has it; see `refuseChanged`. */
export type TableWatch = () => Promise<void>;

/** Milliseconds between two looks into the folder of a dump. */
const INTERVAL_MS = 20;

/** The bytes of a dump, once a check has passed. pg_dump has locked all tables before it writes its first byte. */
export function checkedAtBeginning(dump: Readable, check: TableWatch): Readable {
  return through(dump, async function* () {
    let checked = false;
    for await (const chunk of dump as AsyncIterable<Buffer>) {
      if (!checked) await check();
      checked = true;
      yield chunk;
    }
  });
}

/** Bytes that end only once a check has passed. */
export function checkedAtEnd(source: Readable, check: TableWatch): Readable {
  return through(source, async function* () {
    yield* source as AsyncIterable<Buffer>;
    await check();
  });
}

/** What a generator makes of a stream, which ends with it, also where the generator has not begun. */
function through(source: Readable, bytes: () => AsyncGenerator<Buffer>): Readable {
  source.on("error", () => undefined);
  const stream = Readable.from(bytes(), { objectMode: false });
  stream.once("close", () => source.destroy());
  return stream;
}

/** Runs a check as soon as a dump makes the first file in its folder, or has ended: before that it has locked all tables. */
export async function checkOnceBegun(folder: string, ended: Promise<void>, check: TableWatch): Promise<void> {
  const over = new AbortController();
  const end = (): void => {
    over.abort();
  };
  ended.then(end, end);
  while (!over.signal.aborted && (await readdir(folder)).length === 0) await delay(INTERVAL_MS);
  await check();
}
