import { tmpdir } from "node:os";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DatabaseProvider } from "../../../../../providers/database/database.ts";
import { createDatabase } from "../../../../../providers/database/index.ts";
import { type Postgres, startPostgres } from "../../../../../tools/postgres.ts";
import { failureOf } from "../../../../helpers/failure.ts";
import { query } from "../../../../../tools/query.ts";
import { store } from "../../../../helpers/stored-backup.ts";

const never = new AbortController().signal;

describe("a read replica", () => {
  let primary: Postgres;
  let standby: Postgres;
  beforeAll(async () => {
    primary = await startPostgres();
    standby = await startPostgres({
      standbyOf: primary,
      settings: { max_standby_streaming_delay: "0", hot_standby_feedback: "off" },
    });
    await query(
      primary.url("postgres"),
      "CREATE TABLE counted AS SELECT i, repeat('x', 500) AS filler FROM generate_series(1, 20000) AS i",
    );
    await caughtUp();
  });
  afterAll(async () => {
    await standby.stop();
    await primary.stop();
  });

  const open = (server: Postgres): Promise<DatabaseProvider> =>
    createDatabase(
      { kind: "postgres", url: { env: "URL" }, lockTimeoutSeconds: 30 },
      { secrets: { url: server.url("postgres") } },
    );
  const caughtUp = async (): Promise<void> => {
    // Not the place up to which is written: these servers commit before they write.
    const [at] = await query<{ lsn: string }>(primary.url("postgres"), "SELECT pg_current_wal_insert_lsn() AS lsn");
    const replayed = `SELECT pg_last_wal_replay_lsn() >= '${at?.lsn ?? ""}' AS there`;
    const deadline = Date.now() + 30_000;
    while ((await query<{ there: boolean }>(standby.url("postgres"), replayed))[0]?.there !== true) {
      if (Date.now() > deadline) throw new Error("The standby did not catch up.");
      await sleep(50);
    }
  };

  it("is backed up as a primary server is", async () => {
    const backup = await (await open(standby)).backup({ lock: "standby", signal: never });
    // The same database, also when the standby takes over.
    expect(backup.facts.identity).toMatchObject({ systemIdentifier: expect.stringMatching(/^\d{10,}$/) as string });
    expect(await (await open(primary)).identify(never)).toEqual(backup.facts.identity);
    expect(backup.facts.tables).toMatchObject([{ name: "counted" }]);
    for (const artifact of backup.artifacts) expect((await buffer(artifact.open(never))).length).toBeGreaterThan(100);
    await backup.close();
  });

  it("cannot be restored into", async () => {
    const { artifacts, facts } = await store(await (await open(primary)).backup({ lock: "primary", signal: never }));
    const restore = (await open(standby)).restore(artifacts, {
      facts,
      allowNonEmpty: true,
      jobs: 1,
      scratchDirectory: tmpdir(),
      createRoles: false,
      noOwner: false,
      signal: never,
    });
    const error = await failureOf(restore);
    expect(error.code).toBe("CONFIG");
    expect(error.fix).toContain("primary");
  });

  it("that ends a dump for the sake of replication is distinguished from one that is down", async () => {
    const backup = await (await open(standby)).backup({ lock: "conflict", signal: never });
    // The dump stalls on a reader that takes nothing, until replication removes rows that its snapshot still sees.
    const stream = backup.artifacts[0]?.open(never);
    if (stream === undefined) throw new Error("There is no artifact.");
    await new Promise((resolve) => stream.once("readable", resolve));
    await query(primary.url("postgres"), "DELETE FROM counted");
    await query(primary.url("postgres"), "VACUUM counted");
    // A server process that waits for its reader ends only once that reads on, and replication waits for it.
    const replicated = caughtUp();
    await Promise.race([replicated, sleep(2_000)]);
    const error = await failureOf(buffer(stream));
    await backup.close();
    await replicated;
    expect(error.code).toBe("TRANSIENT");
    expect(error.message).toContain("conflict with recovery");
    expect(error.fix).toContain("hot_standby_feedback = on");
  });
});
