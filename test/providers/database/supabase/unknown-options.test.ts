import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openProject, restoreInto } from "../../../helpers/supabase-project.ts";
import { query } from "../../../../tools/query.ts";
import { store } from "../../../helpers/stored-backup.ts";
import { keepAddingUnknownOptions, TAKES_UNKNOWN_OPTIONS } from "../../../helpers/unknown-options.ts";
import { startSupabase, type SupabaseServer } from "../../../../tools/services/supabase-database.ts";

const never = new AbortController().signal;

let server: SupabaseServer;
let scratch: string;
beforeAll(async () => {
  server = await startSupabase({ tls: true, settings: TAKES_UNKNOWN_OPTIONS });
  scratch = await mkdtemp(join(tmpdir(), "provision-scratch-"));
});
afterAll(async () => {
  await server.postgres.stop();
  await rm(scratch, { recursive: true });
});

it("restores a project without a difference where the target's server keeps options of its own", async () => {
  const open = (url: string) => openProject(server, url);
  const source = await open(await server.fullProject("full"));
  const backup = await store(await source.backup({ lock: "test", signal: never }));
  const target = await open(await server.newProject("copy"));
  await keepAddingUnknownOptions(server.postgres.url("copy"));
  // The trigger's function is in it already.
  const options = restoreInto(server, "copy", backup, scratch, { allowNonEmpty: true });
  const report = await target.restore(backup.artifacts, options);
  const [added] = await query<{ tables: number; columns: number }>(
    server.postgres.url("copy"),
    `SELECT (SELECT count(*)::int FROM pg_class WHERE reloptions::text ~ 'pg_next_release') AS tables,
       (SELECT count(*)::int FROM pg_attribute WHERE attoptions::text ~ 'pg_next_release') AS columns`,
  );
  expect(added?.tables).toBeGreaterThan(10);
  expect(added?.columns).toBeGreaterThan(50);
  expect(report.differences?.filter((each) => !each.includes("next_release"))).toEqual([]);
});
