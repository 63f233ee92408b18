import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
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

describe.runIf(existsSync("/usr/libexec/coreutils/libstdbuf.so"))(
  "a program's buffers (where coreutils have libstdbuf)",
  () => {
    const source = () => Readable.from([Buffer.from("archive")]);

    it("are large for what it reads and writes through a pipe", async () => {
      folder.program(
        "pg_restore",
        '#!/bin/sh\necho "in ${_STDBUF_I:-small}, out ${_STDBUF_O:-small}"\ncat >/dev/null\n',
      );
      const program = archiveReader({ directory: folder.path, version: "17.0", major: 17 }, []);
      expect(await text(readThrough(program, source(), never))).toBe("in 262144, out 262144\n");
    });

    it("are its own where nobody reads what it writes", async () => {
      const said = join(folder.path, "said");
      folder.program(
        "pg_restore",
        `#!/bin/sh\necho "in \${_STDBUF_I:-small}, out \${_STDBUF_O:-small}" >${said}\ncat >/dev/null\n`,
      );
      const program = archiveReader({ directory: folder.path, version: "17.0", major: 17 }, []);
      await feed(program, source(), never);
      expect(readFileSync(said, "utf8")).toBe("in 262144, out small\n");
    });
  },
);
