import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { emptyDatabase, sql } from "../helpers/databases.ts";
import { ensureProgram } from "../helpers/ensure-program.ts";
import { measured } from "../helpers/measured.ts";
import { backupFolder, makeBackup } from "../helpers/reports.ts";
import { Sandbox, type Ended } from "../helpers/sandbox.ts";
import { filesIn } from "../helpers/store.ts";

/** What a command may take at most, in kB: a manifest of the largest size takes some 250 MB beside the program's own 130. */
const MEMORY_KB = 420_000;
/** And for how long it may run, in milliseconds; alone on a machine, a second or two. */
const LIMIT_MS = 120_000;
/** The backup that somebody else has put into the store. It is the oldest. */
const ID = "20260101T000000Z-abcdef";

const haveZstd = await ensureProgram("zstd", "zstd");

type Json = Record<string, unknown>;

let postgres: Postgres;
let sandbox: Sandbox;
let peak: string;
let good: string;
beforeAll(async () => {
  postgres = await startPostgres();
  await sql(postgres, "postgres", "CREATE DATABASE shop");
  await sql(postgres, "shop", "CREATE TABLE goods AS SELECT n FROM generate_series(1, 1000) n");
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  sandbox = new Sandbox(postgres.url("shop"), {
    drill: { target: { env: "DRILL_URL" }, acceptSharedUser: true },
    retention: { last: 1 },
  });
  sandbox.environment.DRILL_URL = postgres.url("postgres");
  sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "copy");
  ({ id: good } = await makeBackup(sandbox));
  // The high-water mark of a process that has ended is nowhere.
  peak = join(sandbox.path, "peak");
  const note = `import { readFileSync, appendFileSync } from "node:fs";
    process.on("exit", () => {
      appendFileSync(${JSON.stringify(peak)}, /VmHWM:\\s*(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1] + "\\n");
    });`;
  sandbox.environment.NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(note)}`;
});
afterEach(() => {
  sandbox.remove();
});

/** Runs a command within the limits of time and memory. It must not end by a defect. */
async function bounded(...args: string[]): Promise<Ended> {
  writeFileSync(peak, "");
  const running = sandbox.start(...args);
  const timer = setTimeout(() => running.child.kill("SIGKILL"), LIMIT_MS);
  const ended = await running.ended;
  clearTimeout(timer);
  expect(ended.signal, `${args.join(" ")} was still going`).toBeNull();
  expect(Math.max(...readFileSync(peak, "utf8").trim().split("\n").map(Number)), args.join(" ")).toBeLessThan(
    MEMORY_KB,
  );
  expect(ended.stderr, args.join(" ")).not.toMatch(/\n {4}at |uncaughtException|unhandledRejection/);
  expect((ended.stdout + ended.stderr).length, args.join(" ")).toBeLessThan(2_000_000);
  return ended;
}

const put = (file: string, content: string | Buffer): void => {
  const path = join(backupFolder(sandbox, ID), file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
};

/** A document with its checksum, as the format has it: sealed, but by nobody of this program. */
function sealed(document: Json): string {
  const checksum = `sha256:${createHash("sha256").update(JSON.stringify(document)).digest("hex")}`;
  return `${JSON.stringify({ ...document, checksum }, null, 2)}\n`;
}

/** What is used of a manifest. */
type Content = Json & { database: Json; objects: (Json & { file: string })[] };

/** The manifest of the good backup, in the name of the other one. */
function manifest(): Content {
  const text = readFileSync(join(backupFolder(sandbox, good), "manifest.json"), "utf8");
  const content = JSON.parse(text) as Content;
  delete content.checksum;
  return { ...content, id: ID };
}

/** Puts a manifest there, and the good backup's objects. */
function backup(changes: (manifest: Content) => Json): void {
  const content = manifest();
  for (const { file } of content.objects) put(file, readFileSync(join(backupFolder(sandbox, good), file)));
  put("manifest.json", sealed({ ...content, ...changes(content) }));
}

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
const sparse = (file: string, size: number) => {
  put(file, "{");
  truncateSync(join(backupFolder(sandbox, ID), file), size);
};

/** How verify, restore and drill end, and what verify says. */
interface Case {
  readonly make: () => void;
  readonly says: RegExp;
  readonly verify: number;
  readonly restore: number;
}

const damaged = (says: RegExp, make: () => void): Case => ({ make, says, verify: 5, restore: 5 });

const cases: [string, Case][] = [
  [
    "nested 200,000 levels",
    damaged(/nested more than/, () => {
      put("manifest.json", `{"a":${nested(200_000)}}`);
    }),
  ],
  [
    "of 300 MB",
    damaged(/has 300000000 bytes, and such/, () => {
      sparse("manifest.json", 300_000_000);
    }),
  ],
  [
    "of 100,000 objects",
    damaged(/has \d+ bytes, and such/, () => {
      backup(({ objects }) => ({ objects: Array.from({ length: 100_000 }, () => objects[0]) }));
    }),
  ],
  [
    "of 20,000 objects",
    damaged(/names 20000 objects/, () => {
      backup(({ objects }) => ({ objects: Array.from({ length: 20_000 }, () => objects[0]) }));
    }),
  ],
  [
    "of a million empty lists",
    damaged(/not what was written/, () => {
      put("manifest.json", `[${"[],".repeat(1e6)}1]`);
    }),
  ],
  [
    "with a number that is none",
    damaged(/not what was written/, () => {
      backup(() => ({}));
      const file = join(backupFolder(sandbox, ID), "manifest.json");
      writeFileSync(file, readFileSync(file, "utf8").replace(/"size": \d+/, '"size": 1e999'));
    }),
  ],
  [
    "with objects of an impossible size",
    damaged(/as stored it has \d+ bytes, and the manifest says 9007199254740991/, () => {
      backup(({ objects }) => ({
        objects: objects.map((object) => ({ ...object, stored: { ...(object.stored as Json), size: 2 ** 53 - 1 } })),
      }));
    }),
  ],
  [
    "with an object outside its folder",
    {
      make: () => {
        backup(({ objects: [first] }) => ({ objects: [{ ...first, file: "../../../../etc/passwd" }] }));
      },
      says: /is whole, but this version of Provision does not know its format/,
      verify: 3,
      restore: 2,
    },
  ],
  [
    "with 300,000 tables of another kind",
    {
      make: () => {
        backup(({ database }) => ({
          database: { ...database, tables: Array.from({ length: 300_000 }, () => ({ a: 0 })) },
        }));
      },
      says: /is whole, but this version of Provision does not know its format/,
      verify: 3,
      restore: 2,
    },
  ],
  [
    "of a job with a name of 20 MB",
    damaged(/its manifest is that of test\/x{100}…\/2026/, () => {
      backup(() => ({ job: "x".repeat(20_000_000) }));
    }),
  ],
  [
    "whose object decompresses to 2 GB more than it says",
    damaged(/decompressed it has more than the manifest's 1000 bytes/, () => {
      const bomb = execFileSync("sh", ["-c", "head -c 2000000000 /dev/zero | zstd -1 -c"], { maxBuffer: 1 << 24 });
      backup(({ objects: [first, ...rest] }) => ({
        objects: [{ ...first, stored: measured(bomb), plain: { size: 1000, sha256: "0".repeat(64) } }, ...rest],
      }));
      put("database.dump.zst", bomb);
    }),
  ],
  [
    "whose object has a second frame",
    damaged(/there are bytes behind its zstd frame/, () => {
      const [dump = ""] = manifest().objects.map(({ file }) => file);
      const frame = readFileSync(join(backupFolder(sandbox, good), dump));
      const two = Buffer.concat([frame, zstdCompressSync(Buffer.from("DROP TABLE goods;"))]);
      backup(({ objects: [first, ...rest] }) => ({ objects: [{ ...first, stored: measured(two) }, ...rest] }));
      put(dump, two);
    }),
  ],
];

describe.skipIf(!haveZstd)("a manifest", { timeout: 900_000 }, () => {
  it.each(cases)(
    "%s harms neither the program nor the other backup",
    async (_what, { make, says, verify, restore }) => {
      const before = filesIn(backupFolder(sandbox, good));
      make();
      const list = await bounded("list", "--contents");
      expect(list.code, list.stderr).toBe(0);
      expect(list.stdout).toContain(good);
      expect(list.stdout).toContain(ID);
      expect((await bounded("drill", ID)).code).toBe(restore);
      expect((await bounded("restore", ID, "--to", "env:TARGET_URL")).code).toBe(restore);
      const verified = await bounded("verify", "--all");
      expect(verified.code, verified.stderr).toBe(verify);
      expect(verified.stdout).toMatch(says);
      expect(verified.stdout).toMatch(new RegExp(`^${good} in .*: verified: read in full$`, "m"));
      const pruned = await bounded("prune");
      expect(pruned.code, pruned.stderr).toBe(0);
      expect(filesIn(backupFolder(sandbox, good))).toEqual(expect.arrayContaining(before));
      const restored = await bounded("restore", "latest", "--to", "env:TARGET_URL");
      expect(restored.code, restored.stderr).toBe(0);
      expect(await sql(postgres, "copy", "SELECT count(*)::int AS rows FROM goods")).toEqual([{ rows: 1000 }]);
    },
  );
});

describe("names of files", () => {
  it("lead nowhere outside of the folder that they are restored into", { timeout: 300_000 }, async () => {
    const names = [
      ["..", "../../escaped"],
      ["a", "../../../escaped"],
      ["a", "/escaped"],
      ["a/../..", "escaped"],
      ["a", "b//c"],
      ["a", "."],
      ["a", "nul\0byte"],
      ["a", "Case"],
      ["a", "case"],
      ["a", `${"long".repeat(200)}/${"long".repeat(200)}`],
      ["a", "fine"],
    ] as const;
    const content = Buffer.from("hello");
    const stored = zstdCompressSync(content);
    const job = dirname(backupFolder(sandbox, ID));
    const lines = names.map(([bucket, path], index) => {
      const id = createHash("sha256").update(String(index)).digest("hex");
      const object = `files/${id.slice(0, 2)}/${id}-abcdef.zst`;
      mkdirSync(dirname(join(job, object)), { recursive: true });
      writeFileSync(join(job, object), stored);
      const file = { bucket, path, size: 5, etag: "e", modified: "2026-01-01T00:00:00Z" };
      return JSON.stringify({ id, object, stored: measured(stored), plain: measured(content), file });
    });
    const index = Buffer.from(`${lines.join("\n")}\n`);
    const packed = zstdCompressSync(index);
    const object = {
      file: "files.jsonl.zst",
      artifact: "files.jsonl",
      format: "file-index",
      compression: "zstd",
      encryption: null,
      stored: measured(packed),
      plain: measured(index),
    };
    backup(({ objects }) => ({
      objects: [...objects, object],
      files: { kind: "supabase-storage", from: "x", buckets: [] },
    }));
    put(object.file, packed);
    const target = join(sandbox.path, "in", "a", "folder");
    writeFileSync(peak, "");
    const outside = filesIn(sandbox.path);
    const { code, stdout } = await bounded("restore", ID, "--files", target);
    expect(code).toBe(3);
    expect(stdout).toContain("failed: a/nul");
    const files = filesIn(target);
    expect(files).toEqual(expect.arrayContaining(["a/Case", "a/case", "a/fine", "a/b/~/c"]));
    expect(files.length).toBe(names.length - 1);
    expect(filesIn(sandbox.path).filter((file) => !file.startsWith("in/a/folder/"))).toEqual(outside);
  });
});
