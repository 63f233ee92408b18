import { existsSync, readdirSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BackupReport } from "../../../../runner/operations/backup/report.ts";
import { startPostgres, type Postgres } from "../../../../tools/postgres.ts";
import { emptyDatabase } from "../../../helpers/databases.ts";
import { hasClocks, waiting, withClock } from "../../../helpers/machines.ts";
import { destinationChecks, foldersOf, printed } from "../../../helpers/reports.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";

/** A lease that is not renewed is watched for three minutes. */
const LIMIT_MS = 280_000;

const sandboxes: Sandbox[] = [];
let servers: [Postgres, Postgres];
beforeAll(async () => {
  servers = await Promise.all([startPostgres(), startPostgres()]);
});
afterAll(async () => {
  for (const sandbox of sandboxes) sandbox.remove();
  await Promise.all(servers.map((server) => server.stop()));
});

/** A machine's part of the job, on a database of one of the two servers; `store` is another machine's, to share it. */
async function machineOn(server: 0 | 1, database: string, store?: Sandbox): Promise<Sandbox> {
  const sandbox = new Sandbox(await emptyDatabase(servers[server], database));
  if (store !== undefined) sandbox.job.destinations = [{ kind: "filesystem", path: store.store }];
  sandboxes.push(sandbox);
  return sandbox;
}

/** A run whose pg_dump has begun, and waits until it may go on. */
const dumping = (sandbox: Sandbox) => waiting(sandbox, servers[0].binDirectory);

/** The names of what the store has of the job's lease. */
function leaseIn(sandbox: Sandbox): string[] {
  const folder = join(sandbox.store, "test/app/lease");
  return existsSync(folder) ? readdirSync(folder) : [];
}

describe.concurrent("two servers of one job, as after a failover", { timeout: LIMIT_MS }, () => {
  it("are not backed up at once: the second run ends with 6, whatever its clock, and disturbs nothing", async () => {
    const here = await machineOn(0, "first");
    const first = await dumping(here);
    // In a database each: the lock of their own server keeps none of them away.
    const others = [await machineOn(1, "right", here)];
    if (hasClocks) {
      others.push(withClock(await machineOn(1, "ahead", here), "+5h"));
      others.push(withClock(await machineOn(1, "behind", here), "-5h"));
    }
    for (const { code, stderr } of await Promise.all(others.map((other) => other.run("backup")))) {
      expect([code, stderr]).toEqual([
        6,
        expect.stringContaining("Another run of test/app holds its lease in filesystem"),
      ]);
      expect(stderr).toContain(`on the host ${JSON.stringify(hostname())}`);
      expect(stderr).toContain("Fix: ");
    }
    first.goOn();
    const report = printed(await first.ended) as BackupReport;
    expect(report.destinations).toMatchObject([{ stored: true, verification: { outcome: "verified" }, errors: [] }]);
    expect(leaseIn(here)).toEqual([]);
  });

  it("are backed up one after the other where a run was killed, once it is seen to be dead", async () => {
    const here = await machineOn(0, "killed");
    const killed = await dumping(here);
    killed.child.kill("SIGKILL");
    await killed.ended;
    expect(leaseIn(here)).not.toEqual([]);
    const other = await machineOn(1, "killed", here);
    // By its own clock the lease begins only in hours.
    if (hasClocks) withClock(other, "-5h");
    const has = `a run on the host ${JSON.stringify(hostname())} has it, since `;
    expect((await other.run("list")).stdout).toContain(`lease: ${has}`);
    expect(destinationChecks(await other.run("doctor", "--json")).lease).toMatchObject({
      ok: true,
      detail: expect.stringMatching(`^${has}.*; it was renewed \\d+ s ago, by the store's clock$`) as string,
    });
    const begun = performance.now();
    const { id } = printed(await other.run("backup", "--json")) as BackupReport;
    const seconds = (performance.now() - begun) / 1000;
    expect(seconds).toBeGreaterThan(179);
    expect(seconds).toBeLessThan(240);
    expect(foldersOf(here)).toContain(id);
    expect(leaseIn(here)).toEqual([]);
  });

  it("are backed up at once where the first run was ended by a signal, or was killed on the same server", async () => {
    const here = await machineOn(0, "stopped");
    const stopped = await dumping(here);
    stopped.child.kill("SIGTERM");
    expect((await stopped.ended).code).toBe(143);
    expect(leaseIn(here)).toEqual([]);
    const killed = await dumping(await machineOn(0, "again", here));
    killed.child.kill("SIGKILL");
    await killed.ended;
    expect(leaseIn(here)).not.toEqual([]);
    const next = new Sandbox(servers[0].url("again"));
    sandboxes.push(next);
    next.job.destinations = here.job.destinations;
    const begun = performance.now();
    expect((await next.run("backup")).code).toBe(0);
    expect(performance.now() - begun).toBeLessThan(100_000);
    expect(leaseIn(here)).toEqual([]);
  });
});
