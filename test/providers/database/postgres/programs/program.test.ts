import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ProviderError } from "../../../../../providers/errors.ts";
import {
  archiveReader,
  feed,
  readHead,
  readThrough,
} from "../../../../../providers/database/postgres/programs/program.ts";
import { TemporaryFolder } from "../../../../helpers/script.ts";

const never = new AbortController().signal;

/** More than a pipe and the buffers before it take. */
const CHUNK = Buffer.alloc(1024 * 1024);

let folder: TemporaryFolder;
let stopped: ReturnType<typeof archiveReader>;
beforeAll(() => {
  folder = new TemporaryFolder();
  // As one after SIGSTOP: it neither reads nor ends.
  folder.program("pg_restore", "#!/bin/sh\nexec sleep 600\n");
  stopped = archiveReader({ directory: folder.path, version: "17.0", major: 17 }, []);
});
afterAll(() => {
  folder.remove();
});

describe.each([
  ["feed", (source: Readable) => feed(stopped, source, never)],
  ["readThrough", (source: Readable) => buffer(readThrough(stopped, source, never))],
  ["readHead", (source: Readable) => readHead(stopped, source, never)],
])("%s, of a program that does not read", (_, run) => {
  it.each([
    ["fails", () => new ProviderError("TRANSIENT", "The store is away.")],
    ["is given up", () => undefined],
  ])("ends when its source %s", async (_how, reason) => {
    const source = Readable.from([CHUNK, CHUNK, CHUNK], { objectMode: false });
    const running = run(source).then(
      () => "done",
      (error: unknown) => error,
    );
    setTimeout(() => source.destroy(reason()), 200);
    expect(await running).toMatchObject(reason() ?? { code: "ERR_STREAM_PREMATURE_CLOSE" });
  });
});
