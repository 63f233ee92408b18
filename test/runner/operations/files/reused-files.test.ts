import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Manifest } from "../../../../runner/backups/documents/manifest.ts";
import { seal, unseal } from "../../../../runner/backups/documents/sealed-json.ts";
import { startPostgres, type Postgres } from "../../../../tools/postgres.ts";
import { flipBit } from "../../../helpers/damage.ts";
import { emptyDatabase } from "../../../helpers/databases.ts";
import { Sandbox } from "../../../helpers/sandbox.ts";
import { filesIn } from "../../../helpers/store.ts";
import { SupabaseStorageService } from "../../../../tools/services/supabase-storage.ts";

let postgres: Postgres;
let service: SupabaseStorageService;
let sandbox: Sandbox;
beforeAll(async () => {
  postgres = await startPostgres();
  await emptyDatabase(postgres, "app");
});
afterAll(() => postgres.stop());

beforeEach(async () => {
  service = await SupabaseStorageService.start();
  service.makeBucket("papers");
  for (let n = 0; n < 6; n += 1) service.put(`${n}.txt`, Buffer.from(`paper ${n}`), "papers");
  sandbox = new Sandbox(postgres.url("app"), {
    files: { kind: "supabase-storage", url: service.url, key: { env: "FILES_KEY" }, buckets: ["papers"] },
    retention: { last: 9 },
  });
  sandbox.environment.FILES_KEY = service.serviceKey;
});
afterEach(async () => {
  sandbox.remove();
  await service.close();
});

async function backup(...args: string[]) {
  const ended = await sandbox.run("backup", "--json", ...args);
  expect(ended.code, ended.stderr).toBe(0);
  const { id, files } = JSON.parse(ended.stdout) as { id: string; files: { copied: number; unchanged: number } };
  return { id, copied: files.copied, unchanged: files.unchanged };
}

/** Restores the newest backup's files into a new folder, and compares them with what the service has. */
async function expectRestored(...args: string[]): Promise<void> {
  const folder = join(sandbox.path, "out");
  rmSync(folder, { recursive: true, force: true });
  const restored = await sandbox.run("restore", "--files", folder, ...args);
  expect(restored.code, restored.stderr + restored.stdout).toBe(0);
  expect(filesIn(folder)).toEqual([...service.objects.keys()].sort());
  for (const [place, { content }] of service.objects) {
    expect(readFileSync(join(folder, place)).equals(content as Buffer), place).toBe(true);
  }
}

/** An identity that the environment has under a name, and its recipient. */
async function newRecipient(name: string): Promise<string> {
  sandbox.environment[name] = await generateX25519Identity();
  return identityToRecipient(sandbox.environment[name]);
}

/** Rewrites the newest backup's index with other entries, and its manifest to match. */
function rewriteIndex(change: (entries: { sealed: string }[]) => object[]): void {
  const folder = join(
    sandbox.store,
    "test/app",
    readdirSync(join(sandbox.store, "test/app"))
      .sort()
      .findLast((name) => /^\d/.test(name)) ?? "",
  );
  const [index, manifest] = [join(folder, "files.jsonl.zst"), join(folder, "manifest.json")];
  const lines = zstdDecompressSync(readFileSync(index)).toString().trimEnd().split("\n");
  const entries = change(lines.map((line) => JSON.parse(line) as { sealed: string }));
  const plain = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  const stored = zstdCompressSync(plain);
  writeFileSync(index, stored);
  const document = unseal(manifest, readFileSync(manifest, "utf8"), Manifest);
  const measure = (bytes: Buffer) => ({
    size: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  });
  const objects = document.objects.map((object) =>
    object.format === "file-index" ? { ...object, stored: measure(stored), plain: measure(plain) } : object,
  );
  writeFileSync(manifest, seal({ ...document, objects }));
}

const contents = () => filesIn(sandbox.store).filter((name) => name.startsWith("test/app/files/"));

describe("the contents of an earlier backup", () => {
  it("are not referred to by one that is for others to read", async () => {
    const first = await newRecipient("FIRST");
    const second = await newRecipient("SECOND");
    const steps = [
      { recipients: [first], copied: 6, identity: "FIRST" },
      { recipients: [second], copied: 6, identity: "SECOND" },
      { recipients: [first, second], copied: 6, identity: "FIRST" },
      { recipients: [second, first], copied: 0, identity: "SECOND" },
      { recipients: undefined, copied: 6, identity: undefined },
      // Those of the newest backup for the same recipients are.
      { recipients: [second], copied: 0, identity: "SECOND" },
    ];
    for (const { recipients, copied, identity } of steps) {
      sandbox.job = { ...sandbox.job, encryption: recipients && { recipients } };
      expect(await backup(), JSON.stringify(recipients)).toMatchObject({ copied, unchanged: 6 - copied });
      await expectRestored(...(identity === undefined ? [] : ["--identity", `env:${identity}`]));
    }
  }, 120_000);

  it("are not referred to where they were found damaged, whichever backup was read", async () => {
    await backup();
    await backup();
    const [damaged = ""] = contents();
    flipBit(join(sandbox.store, damaged));
    expect((await sandbox.run("verify")).code).toBe(5);
    expect(await backup()).toMatchObject({ copied: 1, unchanged: 5 });
    await expectRestored();
    expect(await backup()).toMatchObject({ copied: 0, unchanged: 6 });
  }, 60_000);

  it("are not referred to by a backup that counts as verified before they were read", async () => {
    await backup("--no-verify");
    expect(await backup()).toMatchObject({ copied: 6, unchanged: 0 });
    expect(await backup("--no-verify")).toMatchObject({ copied: 0, unchanged: 6 });
  }, 60_000);

  it("are referred to without a backup whose manifest or index is damaged", async () => {
    await backup();
    for (const name of ["manifest.json", "files.jsonl.zst"]) {
      const { id } = await backup();
      const file = join(sandbox.store, "test/app", id, name);
      writeFileSync(file, readFileSync(file).subarray(1));
      service.put("new.txt", Buffer.from(name), "papers");
      expect(await backup()).toMatchObject({ copied: 1 });
    }
    await expectRestored();
  }, 60_000);
});

describe("a restore of encrypted files", () => {
  const restore = (identity: string) =>
    sandbox.run("restore", "--json", "--files", join(sandbox.path, "out"), "--identity", `env:${identity}`);

  beforeEach(async () => {
    sandbox.job = { ...sandbox.job, encryption: { recipients: [await newRecipient("OURS")] } };
    await newRecipient("OTHERS");
  });

  it("calls a damaged header damage, and restores the other files", async () => {
    await backup();
    const [damaged = ""] = contents();
    const bytes = readFileSync(join(sandbox.store, damaged));
    // In the line that wraps the key for the recipient.
    const at = bytes.indexOf("\n-> X25519 ") + 20;
    bytes[at] = bytes[at] === 0x41 ? 0x42 : 0x41;
    writeFileSync(join(sandbox.store, damaged), bytes);
    const restored = await restore("OURS");
    expect(restored.code, restored.stderr).toBe(3);
    expect(JSON.parse(restored.stdout)).toMatchObject({ files: { files: 5, failed: [{ code: "INTEGRITY" }] } });
  });

  it("writes nothing from an index that is damaged anywhere", async () => {
    const { id } = await backup();
    const index = join(sandbox.store, "test/app", id, "files.jsonl.zst");
    const { size } = statSync(index);
    const whole = readFileSync(index);
    for (const at of [0, 200, size >> 1, size - 1]) {
      const bytes = Buffer.from(whole);
      bytes[at] = 255 - (bytes[at] ?? 0);
      writeFileSync(index, bytes);
      const restored = await restore("OURS");
      expect(restored.code, `${at}: ${restored.stderr}`).toBe(5);
      expect(existsSync(join(sandbox.path, "out"))).toBe(false);
    }
  }, 60_000);

  it("restores what the key reads of an index that holds other recipients' entries", async () => {
    await backup();
    // As an older version mixed them: an entry's header is one that the key does not unwrap.
    rewriteIndex((lines) => {
      const [first = { sealed: "" }, ...rest] = lines;
      const sealed = Buffer.from(first.sealed, "base64");
      const at = sealed.indexOf("\n-> X25519 ") + 20;
      sealed[at] = sealed[at] === 0x41 ? 0x42 : 0x41;
      return [{ ...first, sealed: sealed.toString("base64") }, ...rest];
    });
    const restored = await restore("OURS");
    expect(restored.code, restored.stderr).toBe(3);
    expect(JSON.parse(restored.stdout)).toMatchObject({
      files: { files: 5, failed: [{ code: "CONFIG", file: expect.stringMatching(/^files\//) as string }] },
    });
  });

  it("is refused to a key that reads none of it", async () => {
    await backup();
    const restored = await restore("OTHERS");
    expect(restored.code).toBe(2);
    expect(restored.stderr).toContain("none of this backup's recipients");
  });
});
