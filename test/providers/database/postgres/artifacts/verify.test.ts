import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ProviderError } from "../../../../../providers/errors.ts";
import {
  countPostgresRows,
  verifyPostgresArtifact,
} from "../../../../../providers/database/postgres/artifacts/verify.ts";
import { failureOf } from "../../../../helpers/failure.ts";
import { TemporaryFolder } from "../../../../helpers/script.ts";

let folder: TemporaryFolder;
beforeAll(() => {
  folder = new TemporaryFolder();
  folder.program("pg_dump", "#!/bin/sh\necho 'pg_dump (PostgreSQL) 17.0'\n");
  // As one that is stopped (SIGSTOP) when it has read everything.
  folder.program("pg_restore", "#!/bin/sh\ncat >/dev/null\nexec sleep 600\n");
});
afterAll(() => {
  folder.remove();
});

// Run 630 of seed 271109: a backup's verification went on after its time limit, and was ended by force.
it.each([
  ["verification", verifyPostgresArtifact],
  ["count", countPostgresRows],
])(
  "a %s whose program does not end is ended by its signal, when all bytes have long been read",
  async (_what, read) => {
    const ending = new AbortController();
    const source = Readable.from([Buffer.from("PGDMP")], { objectMode: false });
    const artifact = { name: "database.dump", format: "pg_dump-custom", clientVersion: "17.0" };
    const reading = failureOf(read(artifact, source, { clients: folder.path }, ending.signal));
    await expect.poll(() => source.closed).toBe(true);
    await sleep(200);
    ending.abort(new ProviderError("ABORTED", "The run was ended after 2 minutes."));
    expect(await reading).toMatchObject({ code: "ABORTED" });
  },
);
