import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareDatabases } from "../../tools/compare-databases.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import { emptyDatabase } from "../helpers/databases.ts";
import { startMemoryService, type MemoryService } from "../helpers/memory-service.ts";
import { TemporaryFolder } from "../helpers/script.ts";
import { filesIn } from "../helpers/store.ts";

const ROOT = join(import.meta.dirname, "../..");
/** What is at the top of a working folder and not part of the tree. */
const LEFT = new Set(["node_modules", ".git"]);
const TOKEN = "memory-t0ken-marker";

/** A provider of each family, which `test/helpers/kinds` has: its kind, its export, and one that its index names already. */
const NEW = [
  { family: "database", kind: "noted", variable: "noted", before: "postgres" },
  { family: "storage", kind: "memory", variable: "memory", before: "s3" },
  { family: "files", kind: "memory-files", variable: "memoryFiles", before: "supabaseStorage" },
  { family: "monitor", kind: "journal", variable: "journal", before: "sentry" },
];

/** What a person who adds them touches. */
const TOUCHED = NEW.flatMap(({ family, kind }) => [
  `providers/${family}/index.ts`,
  `providers/${family}/${kind}.ts`,
]).sort();

/** How long a program of this test may take, in milliseconds: the type checker reads the whole tree. */
const PATIENCE_MS = 600_000;

let folder: TemporaryFolder;
let copy: string;
let postgres: Postgres;
let service: MemoryService;
beforeAll(async () => {
  folder = new TemporaryFolder();
  copy = join(folder.path, "tree");
  cpSync(ROOT, copy, { recursive: true, filter: (path) => !LEFT.has(relative(ROOT, path)) });
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  service = await startMemoryService(TOKEN);
  postgres = await startPostgres();
  await createSampleDatabase(postgres.url("shop"), { megabytes: 1 });
});
afterAll(async () => {
  await service.close();
  folder.remove();
  await postgres.stop();
});

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

/** A file of `test/helpers/kinds` as it reads elsewhere in the tree. */
function moved(name: string, ...paths: [from: string, to: string][]): string {
  const source = readFileSync(join(ROOT, "test/helpers/kinds", name), "utf8");
  return paths.reduce((text, [from, to]) => text.replaceAll(`"${from}`, `"${to}`), source);
}

const testOf = (family: string, kind: string) => join(copy, `test/providers/${family}/${kind}.test.ts`);

/** What runs a family's contract for a new kind. The store is too simple for all of its own. */
function contractOf(family: string, kind: string): string {
  if (family === "storage")
    return `describeStorageContract("${kind}", open, capabilities);
`;
  const own: [string, string] = ["./", `../../../providers/${family}/`];
  return moved(
    `${kind}-contract.ts`,
    own,
    ["../memory-service", "../../helpers/memory-service"],
    ["../monitor-context", "../../helpers/monitor-context"],
  );
}

describe("a provider of each family is added by the three steps of docs/extending.md", () => {
  it(
    "1. its class, and 2. its name in the index: that compiles, lint is clean, and nothing else was touched",
    async () => {
      for (const { family, kind, variable, before } of NEW) {
        const own = moved(`${kind}.ts`, [`../../../providers/${family}/`, "./"], ["../../../providers/", "../"]);
        writeFileSync(join(copy, `providers/${family}/${kind}.ts`), own);
        edit(
          `providers/${family}/index.ts`,
          [`import { ${before} }`, `import { ${variable} } from "./${kind}.ts";\nimport { ${before} }`],
          [/Providers = \{/, `Providers = { ${variable === kind ? kind : `"${kind}": ${variable}`},`],
        );
      }
      expect(changes()).toEqual(TOUCHED);
      const types = await run(tool("tsc"), ["--noEmit"]);
      expect(types.code, types.output).toBe(0);
      const lint = await run(tool("eslint"), TOUCHED);
      expect(lint.code, lint.output).toBe(0);
    },
    PATIENCE_MS,
  );

  const job = () => ({
    name: "app",
    database: { kind: "noted", url: { secret: "appUrl" }, note: "made on a Friday" },
    files: { kind: "memory-files", url: service.url, key: { secret: "memoryToken" } },
    destinations: [{ kind: "memory", url: service.url, token: { secret: "memoryToken" } }],
    monitor: [{ kind: "journal", path: join(folder.path, "journal") }],
    drill: { target: { secret: "drillUrl" }, acceptSharedUser: true },
  });

  it(
    "3. its kind in the configuration: the stack takes it, and knows its secrets",
    async () => {
      const script = `
      import { checkSettings } from "./components/settings/rules.ts";
      const values = new Map(Object.entries({
        jobs: ${JSON.stringify(JSON.stringify([job()]))},
        secrets: '{"appUrl":"x","memoryToken":"x","drillUrl":"x"}',
      }));
      const { problems, warnings, settings } = checkSettings({ stack: "dev", values, isSecret: () => true });
      console.log(JSON.stringify({ problems, warnings, names: settings?.jobSecretNames }));
    `;
      const { stdout, output } = await run(process.execPath, ["--input-type=module", "-e", script]);
      expect(stdout, output).not.toBe("");
      const names = ["appUrl", "drillUrl", "memoryToken"];
      expect(JSON.parse(stdout)).toEqual({ problems: [], warnings: [], names });
    },
    PATIENCE_MS,
  );

  it(
    "and a run backs up, lists, verifies, drills and restores with all four",
    async () => {
      const other = await startMemoryService(TOKEN);
      const bucket = { name: "papers", public: false, fileSizeLimit: null, allowedMimeTypes: null };
      const about = JSON.stringify({ contentType: "text/plain" });
      service.put("bucket/papers", Buffer.from(JSON.stringify(bucket)));
      service.put("files/papers/a/b.txt", Buffer.from("the file"), about);
      const files = { secrets: join(folder.path, "secrets.json"), job: join(folder.path, "job.json") };
      const secrets = {
        appUrl: postgres.url("shop"),
        drillUrl: postgres.url("postgres"),
        memoryToken: TOKEN,
        target: await emptyDatabase(postgres, "copy"),
      };
      writeFileSync(files.secrets, JSON.stringify(secrets), { mode: 0o600 });
      writeFileSync(files.job, JSON.stringify({ stack: "dev", ...job() }));
      const outputs: Record<string, string> = {};
      const restored = ["--files", other.url, "--files-key", "secret:memoryToken"];
      for (const args of [
        ["backup"],
        ["list"],
        ["verify"],
        ["drill"],
        ["doctor"],
        ["restore", "--to", "secret:target", ...restored],
      ]) {
        const { code, output } = await run(process.execPath, ["runner/cli.js", ...args, "--job", files.job], {
          PROVISION_SECRETS_FILE: files.secrets,
        });
        expect(code, output).toBe(0);
        expect(output).not.toContain(TOKEN);
        outputs[args[0] ?? ""] = output;
      }
      expect(outputs.list).toMatch(/memory of http:.*: 1 backup\n.* verified /);
      expect(outputs.restore).toContain("Note: made on a Friday");
      expect((await compareDatabases(postgres.url("shop"), postgres.url("copy"))).differences).toEqual([]);
      expect(other.objects.get("files/papers/a/b.txt")).toMatchObject({ bytes: Buffer.from("the file"), about });
      const stored = [...service.objects.keys()].map((key) => key.split("/").at(-1));
      expect(stored).toEqual(expect.arrayContaining(["manifest.json", "note.txt.zst", "files.jsonl.zst"]));
      const heard = readFileSync(join(folder.path, "journal"), "utf8");
      expect(heard).toMatch(/"status":"ok"/);
      expect(heard).not.toContain(TOKEN);
      await other.close();
    },
    PATIENCE_MS,
  );

  it(
    "and the registry's test names what a provider that stays still lacks: its test and its row in the README",
    async () => {
      const registry = () => run(tool("vitest"), ["run", "test/providers/registry.test.ts"]);
      const before = await registry();
      expect(before.code).not.toBe(0);
      for (const { family, kind } of NEW) {
        expect(before.output).toMatch(new RegExp(`has a test for each provider[\\s\\S]*\\+ +"${kind}"`));
        expect(before.output).toMatch(new RegExp(`has a row in the README for each provider[\\s\\S]*\\+ +"${kind}"`));
        writeFileSync(testOf(family, kind), "");
      }
      const empty = await registry();
      expect(empty.code).not.toBe(0);
      for (const { family, kind } of NEW) {
        expect(empty.output).toMatch(new RegExp(`runs the family's contract for each provider[\\s\\S]*\\+ +"${kind}"`));
        writeFileSync(testOf(family, kind), contractOf(family, kind));
        edit("README.md", [new RegExp(`^\\| ${family} +\\| \``, "m"), `| ${family} | \`${kind}\` | new |\n$&`]);
      }
      const after = await registry();
      expect(after.code, after.output).toBe(0);
    },
    PATIENCE_MS,
  );

  it(
    "and it keeps its family's contract",
    async () => {
      const tests = NEW.filter(({ family }) => family !== "storage").map(({ family, kind }) => testOf(family, kind));
      const { code, output } = await run(tool("vitest"), ["run", ...tests.map((test) => relative(copy, test))]);
      expect(code, output).toBe(0);
      expect(output).toMatch(/3 passed/);
    },
    PATIENCE_MS,
  );
});
