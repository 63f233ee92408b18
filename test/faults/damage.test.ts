import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Verification } from "../../runner/operations/verify.ts";
import { startPostgres, type Postgres } from "../../tools/postgres.ts";
import { createSampleDatabase } from "../../tools/sample-database.ts";
import { emptyDatabase, relationCount } from "../helpers/databases.ts";
import { backupFolder, listed, makeBackup, printed } from "../helpers/reports.ts";
import { Sandbox } from "../helpers/sandbox.ts";

const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
  await createSampleDatabase(postgres.url("shop"), { megabytes: 1 });
});
afterAll(() => postgres.stop());

const flip = (where: (bytes: Buffer) => number) => (bytes: Buffer) => {
  const copy = Buffer.from(bytes);
  const position = where(bytes);
  copy[position] = (copy[position] ?? 0) ^ 1;
  return copy;
};

/** What befalls a file; undefined removes it. */
const DAMAGES: Readonly<Record<string, (bytes: Buffer) => Buffer | undefined>> = {
  "another byte near its start": flip(() => 60),
  "another byte in its middle": flip(({ length }) => length >> 1),
  "its end cut off": (bytes) => bytes.subarray(0, -1),
  "its second half cut off": (bytes) => bytes.subarray(0, bytes.length >> 1),
  "bytes appended": (bytes) => Buffer.concat([bytes, Buffer.from("\n")]),
  "no bytes": () => Buffer.alloc(0),
  "gone missing": () => undefined,
};

describe.each([
  ["that is not encrypted", undefined, ""],
  ["that is encrypted", { recipients: [recipient], identity: { env: "AGE_IDENTITY" } }, ".age"],
])("a backup %s", (_name, encryption, ending) => {
  let sandbox: Sandbox;
  let id: string;
  let pristine: string;
  beforeAll(async () => {
    sandbox = new Sandbox(postgres.url("shop"), encryption ? { encryption } : {});
    sandbox.environment.AGE_IDENTITY = identity;
    ({ id } = await makeBackup(sandbox));
    pristine = join(sandbox.path, "pristine");
    cpSync(sandbox.store, pristine, { recursive: true });
    sandbox.environment.TARGET_URL = await emptyDatabase(postgres, "target");
  });
  afterAll(() => {
    sandbox.remove();
  });

  function damage(file: string, how: (bytes: Buffer) => Buffer | undefined): void {
    rmSync(sandbox.store, { recursive: true });
    cpSync(pristine, sandbox.store, { recursive: true });
    const path = join(backupFolder(sandbox, id), file);
    const bytes = how(readFileSync(path));
    if (bytes) writeFileSync(path, bytes);
    else rmSync(path);
  }

  /** A restore is refused with that code and reason, and the target has nothing. */
  async function expectRefusal(expected: number, reason: string, ...options: string[]): Promise<void> {
    const { code, stderr } = await sandbox.run("restore", id, "--to", "env:TARGET_URL", ...options);
    expect([code, stderr]).toEqual([expected, expect.stringContaining(reason)]);
    expect(await relationCount(postgres, "target")).toBe(0);
  }

  describe.each([`database.dump.zst${ending}`, `roles.sql.zst${ending}`, "manifest.json"])("with %s", (file) => {
    const damages = Object.entries(DAMAGES).filter(([name]) => file !== "manifest.json" || name !== "gone missing");

    it.each(damages)("that has %s is found damaged, and is not restored", async (_how, change) => {
      damage(file, change);
      const [found] = printed(await sandbox.run("verify", id, "--json"), 5) as Verification[];
      expect(found).toMatchObject({ id, outcome: "damaged", problems: [expect.stringContaining(`${id}/${file}`)] });
      await expectRefusal(5, `${id}/${file}`);
    });
  });

  it("with a damaged dump is not restored by several workers either", async () => {
    damage(`database.dump.zst${ending}`, DAMAGES["another byte in its middle"] ?? (() => undefined));
    await expectRefusal(5, `${id}/database.dump.zst${ending}`, "--jobs", "2", "--scratch", sandbox.path);
  });

  it("with damaged roles creates none of them", async () => {
    damage(`roles.sql.zst${ending}`, DAMAGES["its end cut off"] ?? (() => undefined));
    await expectRefusal(5, `${id}/roles.sql.zst${ending}`, "--create-roles");
  });

  it("without its manifest is no backup", async () => {
    damage("manifest.json", () => undefined);
    expect(await listed(sandbox)).toEqual([]);
    expect(await sandbox.run("verify", id)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`no backup "${id}"`) as string,
    });
    await expectRefusal(2, `no backup "${id}"`);
  });

  it("that was found damaged is not the latest any more, and no run prunes it", async () => {
    damage(`database.dump.zst${ending}`, DAMAGES["its end cut off"] ?? (() => undefined));
    expect((await sandbox.run("verify", id)).code).toBe(5);
    expect(await listed(sandbox)).toMatchObject([{ id, state: "damaged" }]);
    const { code, stderr } = await sandbox.run("restore", "--to", "env:TARGET_URL");
    expect([code, stderr]).toEqual([2, expect.stringContaining("no undamaged backup")]);
    sandbox.job.retention = { last: 1 };
    const { id: newer } = await makeBackup(sandbox);
    expect((await listed(sandbox)).map(({ id: each, state }) => [each, state])).toEqual([
      [id, "damaged"],
      [newer, "verified"],
    ]);
    expect(existsSync(join(backupFolder(sandbox, id), "manifest.json"))).toBe(true);
  });

  it("that is whole is restored, after all that", async () => {
    rmSync(sandbox.store, { recursive: true });
    cpSync(pristine, sandbox.store, { recursive: true });
    printed(await sandbox.run("restore", id, "--to", "env:TARGET_URL", "--json"));
    expect(await relationCount(postgres, "target")).toBe(await relationCount(postgres, "shop"));
  });
});
