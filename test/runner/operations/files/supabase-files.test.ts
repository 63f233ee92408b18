import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { query } from "../../../../tools/query.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";
import { eventually } from "../../../helpers/eventually.ts";
import { startSupabase, type SupabaseServer } from "../../../../tools/services/supabase-database.ts";
import { SupabaseStorageService } from "../../../../tools/services/supabase-storage.ts";

let server: SupabaseServer;
let service: SupabaseStorageService;
let sandbox: Sandbox;
beforeAll(async () => {
  server = await startSupabase({ tls: true });
  await server.newProject("app");
});
afterAll(() => server.postgres.stop());
beforeEach(async () => {
  service = await SupabaseStorageService.start();
  service.makeBucket("papers");
  const url = server.urlAs("postgres", "app").replace("@127.0.0.1:", "@localhost:");
  sandbox = new Sandbox(url, {
    database: { kind: "supabase", url: { env: "APP_URL" }, rootCertificate: server.postgres.rootCertificate },
    files: {
      kind: "supabase-storage",
      url: service.url,
      key: { env: "FILES_KEY" },
      buckets: ["papers"],
      retrySeconds: 15,
    },
  });
  sandbox.environment.FILES_KEY = service.serviceKey;
  await query(
    server.postgres.url("app"),
    "SET storage.allow_delete_query = true; DELETE FROM storage.objects; DELETE FROM storage.buckets",
  );
  await query(server.postgres.url("app"), "INSERT INTO storage.buckets (id, name) VALUES ('papers', 'papers')");
});
afterEach(async () => {
  sandbox.remove();
  await service.close();
});

const addRow = (name: string) =>
  query(server.postgres.url("app"), `INSERT INTO storage.objects (bucket_id, name) VALUES ('papers', '${name}')`);

it("compares the files with the rows of the same snapshot, and tells what is only on one side", async () => {
  for (const name of ["both", "row only"]) await addRow(name);
  service.put("both", Buffer.from("1"), "papers");
  service.put("file only", Buffer.from("2"), "papers");
  const ended = await sandbox.run("backup", "--json");
  expect(ended.code, ended.stderr).toBe(0);
  expect(JSON.parse(ended.stdout)).toMatchObject({
    files: { copied: 2, leftOut: [], differences: { missing: ["papers/row only"], orphaned: ["papers/file only"] } },
  });
  expect(ended.stderr).toContain("1 file is in the database and not in Storage, such as papers/row only.");
});

it.each(["file", "s3"] as const)("counts a file as missing whose content Storage on %s has lost", async (backend) => {
  service.backend = backend;
  for (const name of ["both", "lost"]) await addRow(name);
  for (const name of ["both", "lost", "new and lost"]) service.put(name, Buffer.from("1"), "papers");
  for (const name of ["lost", "new and lost"]) service.rowsAlone.add(`papers/${name}`);
  const ended = await sandbox.run("backup", "--json");
  expect(ended.code, ended.stderr).toBe(3);
  const { files } = JSON.parse(ended.stdout) as {
    files: { leftOut: { path: string; code: string; message: string }[] };
  };
  expect(files).toMatchObject({ copied: 1, differences: { missing: ["papers/lost"] } });
  expect(files.leftOut.map(({ path, code }) => `${path}: ${code}`).sort()).toEqual([
    "lost: NOT_FOUND",
    "new and lost: NOT_FOUND",
  ]);
  for (const { message } of files.leftOut) expect(message).toContain("is missing in Storage");
});

it("holds no snapshot while files are copied, and keeps the lock", async () => {
  await addRow("slow");
  service.put("slow", Buffer.from("1"), "papers");
  service.unreadable.add("papers/slow");
  const running = sandbox.start("backup", "--json");
  const sessions =
    "SELECT state, backend_xmin FROM pg_stat_activity WHERE application_name = 'provision' AND datname = 'app'";
  await eventually(async () => {
    expect(await query(server.postgres.url("app"), sessions)).toEqual([{ state: "idle", backend_xmin: null }]);
  });
  expect((await sandbox.run("backup")).code).toBe(6);
  const ended = await running.ended;
  expect(ended.code, ended.stderr).toBe(3);
  expect(JSON.parse(ended.stdout)).toMatchObject({ files: { copied: 0, leftOut: [{ path: "slow" }] } });
});

it("leaves out the bucket that it backs up into, unless buckets names it", async () => {
  await query(server.postgres.url("app"), "INSERT INTO storage.buckets (id, name) VALUES ('backups', 'backups')");
  const row = "INSERT INTO storage.objects (bucket_id, name) VALUES ('backups', 'older')";
  await query(server.postgres.url("app"), row);
  service.put("older", Buffer.from("1"), "backups");
  const { files, destinations } = sandbox.job as { files: { buckets?: string[] }; destinations: object[] };
  const destination = { kind: "supabase", url: `${service.url}/`, bucket: "backups", key: { env: "FILES_KEY" } };
  const all = { ...files };
  delete all.buckets;
  sandbox.job = { ...sandbox.job, files: all, destinations: [...destinations, destination] };
  const ended = await sandbox.run("backup", "--json");
  expect(ended.code, ended.stderr).toBe(0);
  expect(ended.stderr).toContain("The files leave out the bucket backups: it is a destination of this job.");
  expect(JSON.parse(ended.stdout)).toMatchObject({ files: { copied: 0, leftOut: [], differences: { missing: [] } } });
  sandbox.job = { ...sandbox.job, files: { ...all, buckets: ["backups"] } };
  const named = await sandbox.run("backup", "--json");
  expect(named.code, named.stderr).toBe(0);
  expect(service.downloaded).toContain("backups/older");
});
