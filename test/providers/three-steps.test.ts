import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join, relative } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareDatabases } from "../../tools/compare-databases.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import { emptyDatabase } from "../helpers/databases.ts";
import { memory } from "../helpers/memory-provider.ts";
import { TemporaryFolder } from "../helpers/script.ts";
import { filesIn } from "../helpers/store.ts";

const ROOT = join(import.meta.dirname, "../..");
/** What is at the top of a working folder and not part of the tree. */
const LEFT = new Set(["node_modules", ".git"]);
const TOKEN = "memory-t0ken-marker";
const kind = [...memory.schema.shape.kind.values][0] ?? "";

/** How long a program of this test may take, in milliseconds: the type checker reads the whole tree. */
const PATIENCE_MS = 240_000;

let folder: TemporaryFolder;
let copy: string;
let postgres: Postgres;
let server: Server;
const objects = new Map<string, Buffer>();
beforeAll(async () => {
  folder = new TemporaryFolder();
  copy = join(folder.path, "tree");
  cpSync(ROOT, copy, { recursive: true, filter: (path) => !LEFT.has(relative(ROOT, path)) });
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  server = memoryService();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  postgres = await startPostgres();
  await createSampleDatabase(postgres.url("shop"), { megabytes: 1 });
});
afterAll(async () => {
  server.close();
  folder.remove();
  await postgres.stop();
});

/** Keeps objects in memory, for whoever has the token. */
function memoryService(): Server {
  return createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? "/", "http://memory");
      const key = decodeURIComponent(url.pathname.slice(1));
      const object = objects.get(key);
      const answer = (status: number, body: Buffer | string = "", size = body.length) => {
        response.writeHead(status, { "x-size": String(size), connection: "close" }).end(body);
      };
      if (request.headers.authorization !== `Bearer ${TOKEN}`) answer(401);
      else if (request.method === "PUT") {
        const bytes = await buffer(request);
        if (object) answer(409);
        else answer(200, "", objects.set(key, bytes).get(key)?.length);
      } else if (key === "") {
        const below = `${url.searchParams.get("below") ?? ""}/`;
        const keys = [...objects].filter(([each]) => each.startsWith(below)).sort(([a], [b]) => (a < b ? -1 : 1));
        answer(200, JSON.stringify(keys.map(([each, bytes]) => [each, bytes.length])));
      } else if (request.method === "DELETE") {
        objects.delete(key);
        answer(200);
      } else if (object) answer(200, request.method === "HEAD" ? "" : object, object.length);
      else answer(404);
    })().catch(() => {
      response.destroy();
    });
  });
}

/** Runs a program of the copy. */
async function run(program: string, args: string[], environment: Record<string, string> = {}) {
  const env = { PATH: process.env.PATH ?? "", HOME: folder.path, ...environment };
  const child = spawn(program, args, { cwd: copy, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let stdout = "";
  child.stdout.on("data", (text: Buffer) => {
    stdout += text.toString();
    output += text.toString();
  });
  child.stderr.on("data", (text: Buffer) => (output += text.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, output };
}

const tool = (name: string) => join(ROOT, "node_modules/.bin", name);

/** What differs between the tree and its copy, by path. */
function changes(): string[] {
  const hashes = (root: string) => {
    const entries = readdirSync(root, { withFileTypes: true }).filter(({ name }) => !LEFT.has(name));
    const files = entries.flatMap((entry) =>
      entry.isDirectory() ? filesIn(join(root, entry.name)).map((file) => join(entry.name, file)) : [entry.name],
    );
    return new Map(
      files.map((file) => [
        file,
        createHash("sha256")
          .update(readFileSync(join(root, file)))
          .digest("hex"),
      ]),
    );
  };
  const [before, after] = [hashes(ROOT), hashes(copy)];
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((file) => before.get(file) !== after.get(file))
    .sort();
}

/** A file of the copy with some texts in the place of others, each of which must be there. */
function edit(file: string, ...replacements: [from: string | RegExp, to: string][]): void {
  const path = join(copy, file);
  let text = readFileSync(path, "utf8");
  for (const [from, to] of replacements) {
    const changed = text.replace(from, to);
    expect(changed, `${file}: ${String(from)}`).not.toBe(text);
    text = changed;
  }
  writeFileSync(path, text);
}

describe("a storage provider is added by the README's three steps", () => {
  it(
    "1. its class, and 2. its name in the index: that compiles, and nothing else was touched",
    async () => {
      const source = readFileSync(join(ROOT, "test/helpers/memory-provider.ts"), "utf8");
      const moved = source.replaceAll("../../providers/storage/", "./").replaceAll("../../providers/", "../");
      writeFileSync(join(copy, "providers/storage/memory.ts"), moved);
      edit(
        "providers/storage/index.ts",
        ["import { s3 }", 'import { memory } from "./memory.ts";\nimport { s3 }'],
        [/storageProviders = \{/, "storageProviders = { memory,"],
        [/discriminatedUnion\("kind", \[/, 'discriminatedUnion("kind", [memory.schema, '],
        [
          /switch \(config\.kind\) \{/,
          'switch (config.kind) {\n    case "memory":\n      return memory.create(config, context);',
        ],
      );
      expect(changes()).toEqual(["providers/storage/index.ts", "providers/storage/memory.ts"]);
      const { code, output } = await run(tool("tsc"), ["--noEmit"]);
      expect(code, output).toBe(0);
    },
    PATIENCE_MS,
  );

  const job = () => ({
    name: "app",
    database: { kind: "postgres", url: { secret: "appUrl" } },
    destinations: [
      { kind, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: { secret: "memoryToken" } },
    ],
  });

  it(
    "3. its kind in the configuration: the stack takes it, and knows its secret",
    async () => {
      const script = `
      import { checkSettings } from "./components/settings/rules.ts";
      const values = new Map(Object.entries({
        jobs: ${JSON.stringify(JSON.stringify([job()]))},
        secrets: '{"appUrl":"x","memoryToken":"x"}',
      }));
      const { problems, warnings, settings } = checkSettings({ stack: "dev", values, isSecret: () => true });
      console.log(JSON.stringify({ problems, warnings, names: settings?.jobSecretNames }));
    `;
      const { stdout, output } = await run(process.execPath, ["--input-type=module", "-e", script]);
      expect(stdout, output).not.toBe("");
      expect(JSON.parse(stdout)).toEqual({ problems: [], warnings: [], names: ["appUrl", "memoryToken"] });
    },
    PATIENCE_MS,
  );

  it(
    "and it backs up, lists, verifies and restores",
    async () => {
      const files = { secrets: join(folder.path, "secrets.json"), job: join(folder.path, "job.json") };
      const secrets = {
        appUrl: postgres.url("shop"),
        memoryToken: TOKEN,
        target: await emptyDatabase(postgres, "copy"),
      };
      writeFileSync(files.secrets, JSON.stringify(secrets), { mode: 0o600 });
      writeFileSync(files.job, JSON.stringify({ stack: "dev", ...job() }));
      for (const args of [["backup"], ["list"], ["verify"], ["doctor"], ["restore", "--to", "secret:target"]]) {
        const { code, output } = await run(process.execPath, ["runner/cli.js", ...args, "--job", files.job], {
          PROVISION_SECRETS_FILE: files.secrets,
        });
        expect(code, output).toBe(0);
        expect(output).not.toContain(TOKEN);
        if (args[0] === "list") expect(output).toMatch(/memory of http:.*: 1 backup\n.* verified /);
      }
      expect((await compareDatabases(postgres.url("shop"), postgres.url("copy"))).differences).toEqual([]);
      expect([...objects.keys()].map((key) => key.split("/").at(-1))).toContain("manifest.json");
    },
    PATIENCE_MS,
  );

  it(
    "and the registry's test names what a provider that stays still lacks: its test and its row in the README",
    async () => {
      const registry = () => run(tool("vitest"), ["run", "test/providers/registry.test.ts"]);
      const before = await registry();
      expect(before.code).not.toBe(0);
      expect(before.output).toMatch(/has a test for each provider[\s\S]*\+ +"memory"/);
      expect(before.output).toMatch(/has a row in the README for each provider[\s\S]*\+ +"memory"/);
      const test = join(copy, "test/providers/storage/memory.test.ts");
      writeFileSync(test, "");
      const empty = await registry();
      expect(empty.code).not.toBe(0);
      expect(empty.output).toMatch(/runs the family's contract for each provider[\s\S]*\+ +"memory"/);
      writeFileSync(test, 'describeStorageContract("memory", open, capabilities);\n');
      edit("README.md", [/^\| storage +\| `filesystem`/m, "| storage | `memory` | the memory of a service |\n$&"]);
      const after = await registry();
      expect(after.code, after.output).toBe(0);
      expect(changes()).toEqual([
        "README.md",
        "providers/storage/index.ts",
        "providers/storage/memory.ts",
        "test/providers/storage/memory.test.ts",
      ]);
    },
    PATIENCE_MS,
  );
});
