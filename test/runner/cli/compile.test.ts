import { execFile } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { storageProviders } from "../../../providers/storage/index.ts";
import { type Postgres, startPostgres } from "../../../tools/postgres.ts";
import { TemporaryFolder } from "../../helpers/script.ts";

const ROOT = join(import.meta.dirname, "../../..");

/** A configuration of each kind of store, as far as is needed to open it; nothing is asked of it. */
const STORES: Readonly<Record<string, object>> = {
  filesystem: { path: "/nowhere" },
  s3: { bucket: "backups", region: "us-east-1" },
  supabase: { url: "http://127.0.0.1:9", bucket: "backups", key: { env: "KEY" } },
  dropbox: { folder: "/Backups", appKey: "abcdefghijklmno", refreshToken: { env: "KEY" } },
  "google-drive": {
    folder: "/Backups",
    clientId: "1-a.apps.googleusercontent.com",
    clientSecret: { env: "KEY" },
    refreshToken: { env: "KEY" },
  },
};

/** The project as an image has it, with a cache that is filled as the Dockerfile fills it. */
let app: TemporaryFolder;
let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
  app = new TemporaryFolder();
  for (const part of ["package.json", "package-lock.json", "providers", "runner"])
    cpSync(join(ROOT, part), join(app.path, part), { recursive: true });
  mkdirSync(join(app.path, "node_modules"));
  // Node.js knows a module by the path that a link leads to.
  for (const name of readdirSync(join(ROOT, "node_modules")).filter((each) => !each.startsWith(".")))
    symlinkSync(join(ROOT, "node_modules", name), join(app.path, "node_modules", name));
  const quiet = { NODE_DEBUG_NATIVE: undefined };
  const filling = ["--import", join(app.path, "runner/compile.js"), "runner/cli.js", "--help"];
  // What is imported says nothing by itself.
  const [filled, helped] = [await run(filling, quiet), await run(["runner/cli.js", "--help"], quiet)];
  expect(filled).toEqual(helped);
});
afterAll(async () => {
  app.remove();
  await postgres.stop();
});

/** Runs the copy's Node.js, which says on its standard error which modules it had in the cache and which it compiled. */
function run(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const env = { PATH: process.env.PATH, NODE_DEBUG_NATIVE: "COMPILE_CACHE", ...environment };
  const options = { cwd: app.path, env, maxBuffer: 256 * 1024 * 1024 };
  return new Promise<{ output: string; stderr: string; cached: string[]; compiled: string[] }>((resolve) => {
    execFile(process.execPath, args, options, (_error, output, stderr) => {
      const modules = (line: RegExp) => [...stderr.matchAll(line)].map(([, module = ""]) => module);
      resolve({
        output,
        stderr,
        cached: modules(/^\[compile cache\] V8 code cache for (.*) was accepted/gm),
        compiled: modules(/^\[compile cache\] writing cache for (.*) to temporary file/gm),
      });
    });
  });
}

/** Runs `provision` on a job with these stores. */
function provision(command: string, destinations: readonly object[], environment: NodeJS.ProcessEnv = {}) {
  const job = { stack: "test", name: "app", database: { kind: "postgres", url: { env: "APP_URL" } }, destinations };
  writeFileSync(join(app.path, "job.json"), JSON.stringify(job));
  return run(["runner/cli.js", command, "--job", "job.json"], { APP_URL: postgres.url("postgres"), ...environment });
}

describe("what the image is built with, compile.js", () => {
  it("compiles all that a backup, its verification and a list load", async () => {
    const folder = [{ kind: "filesystem", path: join(app.path, "store") }];
    const backup = await provision("backup", folder);
    expect(backup.output).toContain("verified");
    expect(backup.cached.length).toBeGreaterThan(300);
    const list = await provision("list", folder);
    expect(list.output).toContain(": 1 backup");
    expect([...backup.compiled, ...list.compiled]).toEqual([]);
  });

  it("compiles every kind of store with its SDK", async () => {
    expect(Object.keys(STORES).sort()).toEqual(Object.keys(storageProviders).sort());
    const open = `
      import { storageProviders } from "./providers/storage/index.ts";
      for (const [kind, config] of Object.entries(${JSON.stringify(STORES)})) {
        const { schema, secrets, create } = storageProviders[kind];
        const values = Object.fromEntries(secrets.map((name) => [name, "x"]));
        console.log((await create(schema.parse({ kind, ...config }), { secrets: values })).kind);
      }`;
    const { output, cached, compiled } = await run(["--input-type=module", "--eval", open], {
      NODE_COMPILE_CACHE: join(app.path, "node_modules/.cache/compile"),
    });
    // The text of this test is no part of the image.
    expect(compiled.filter((module) => !module.endsWith("[eval1]"))).toEqual([]);
    expect(output.trim().split("\n")).toEqual(Object.keys(STORES));
    expect(cached.length).toBeGreaterThan(300);
  });

  it("compiles what asks for the credentials of a task's role", async () => {
    const asked: (string | undefined)[] = [];
    const server = createServer(({ url }, response) => {
      asked.push(url);
      response.writeHead(403).end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const store = { kind: "s3", bucket: "backups", region: "us-east-1", endpoint: address };
    const { compiled } = await provision("list", [store], {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${address}/credentials`,
    });
    server.close();
    expect(asked).toContain("/credentials");
    expect(compiled).toEqual([]);
  });
});
