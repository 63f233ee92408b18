import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BackupFolders } from "../../../components/host/backup-folders.ts";
import { Folder } from "../../../components/host/folder.ts";
import type { Machine } from "../../../components/host/machine.ts";
import type { Owner } from "../../../components/host/owner.ts";
import { privateFileScripts } from "../../../components/host/private-file.ts";
import { quote } from "../../../components/host/shell.ts";
import { mockEngine, registered } from "../../helpers/mocks.ts";
import { runScript, TemporaryFolder } from "../../helpers/script.ts";

const machine: Machine = { place: "localhost" };
const owner: Owner = { id: "0123", holder: "abcd", name: "org/project/test/backups", adopt: false };
let folder: TemporaryFolder;
/** The stack's folder of the test, and its owner. */
const place = () => ({ folder: folder.path, owner });
beforeEach(() => {
  folder = new TemporaryFolder(true);
});
afterEach(() => {
  folder.remove();
});

describe("quote", () => {
  it.each(["", "a b", "it's", '$HOME `id` \\ "x"', "-n", "a\nb", "''", "ü*?[a]"])("keeps %j as it is", (text) => {
    expect(runScript(`printf '%s' ${quote(text)}`).stdout).toBe(text);
  });
});

describe("a private file's scripts", () => {
  const content = '{"a":"it\'s $HOME"}\n';

  it("write it for its user alone, whole, and again in the same way", () => {
    const path = join(folder.path, "odd name's", "secrets.json");
    const scripts = privateFileScripts(path, place());
    for (const text of [content, `${content}2`]) {
      expect(runScript(scripts.create, { stdin: text, asOther: true })).toEqual({ code: 0, stdout: "", stderr: "" });
      expect(readFileSync(path, "utf8")).toBe(`${text.trimEnd()}\n`);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(statSync(join(path, "..")).mode & 0o777).toBe(0o700);
      expect(readdirSync(join(path, ".."))).toEqual(["secrets.json"]);
    }
    expect(runScript(scripts.delete, { asOther: true }).code).toBe(0);
    expect(runScript(scripts.delete, { asOther: true }).code).toBe(0);
    expect(existsSync(join(path, ".."))).toBe(false);
  });

  it("keep what was there when nothing arrives", () => {
    const path = join(folder.path, "secrets.json");
    const { create } = privateFileScripts(path, place());
    runScript(create, { stdin: content });
    expect(runScript(create)).toEqual({ code: 1, stdout: "", stderr: `Nothing arrived for ${path}.\n` });
    expect(readFileSync(path, "utf8")).toBe(content);
    expect(readdirSync(folder.path)).toEqual(["secrets.json"]);
  });

  it("leave nothing when they are killed while they wait for the rest", async () => {
    const { create } = privateFileScripts(join(folder.path, "secrets.json"), place());
    const child = spawn("/bin/sh", ["-c", create], { stdio: ["pipe", "ignore", "ignore"], detached: true });
    await new Promise((resolve) => child.stdin.write("half a secret", resolve));
    await setTimeout(100);
    process.kill(-(child.pid ?? 0), "SIGKILL");
    await once(child, "close");
    expect(readdirSync(folder.path)).toEqual([]);
  });

  it("get rid of what one left that was killed later, on the next run and on removal", () => {
    const path = join(folder.path, "secrets.json");
    const unfinished = join(folder.path, ".secrets.json.new");
    const { create, delete: remove } = privateFileScripts(path, place());
    for (const next of [create, remove]) {
      writeFileSync(unfinished, "half a secret");
      expect(runScript(next, { stdin: content }).code).toBe(0);
      expect(existsSync(unfinished)).toBe(false);
    }
  });

  it("write through no link that somebody put in the way", () => {
    const victim = join(folder.path, "victim");
    writeFileSync(victim, "theirs");
    symlinkSync(victim, join(folder.path, ".secrets.json.new"));
    symlinkSync(victim, join(folder.path, "secrets.json"));
    runScript(privateFileScripts(join(folder.path, "secrets.json"), place()).create, { stdin: content });
    expect(readFileSync(victim, "utf8")).toBe("theirs");
    expect(lstatSync(join(folder.path, "secrets.json")).isFile()).toBe(true);
  });

  it("say what to do where the user of the backups cannot be had", () => {
    const create = (user: string, asOther: boolean) =>
      runScript(privateFileScripts(join(folder.path, "secrets.json"), { ...place(), user }).create, {
        stdin: content,
        asOther,
      });
    expect(create("no-such-user", false).stderr).toMatch(
      /^There is no user no-such-user on \S+: create it, or change provision:host\.user\.\n$/,
    );
    expect(create("root", true).stderr).toMatch(
      /^\S+ cannot set up backups that run as root: connect as root, or leave provision:host\.user out\.\n$/,
    );
    expect(readdirSync(folder.path)).toEqual([]);
  });
});

/** The scripts that a component registers. */
async function scriptsOf(make: () => Folder | BackupFolders): Promise<{ create: string; delete: string }> {
  const recorded = await mockEngine();
  await registered(make());
  const command = recorded.find(({ type }) => type === "command:local:Command");
  const inputs = command?.inputs as { readonly create: string; readonly delete?: string };
  return { create: inputs.create, delete: inputs.delete ?? "true" };
}

describe("the folder's scripts", () => {
  it("make it for its user alone, with a way to it that others can pass", async () => {
    const path = join(folder.path, "deep/er/dev");
    const scripts = await scriptsOf(() => new Folder("folder", { machine, owner, path }));
    const done = { code: 0, stdout: "", stderr: "" };
    expect(runScript(scripts.create, { asOther: true })).toEqual(done);
    expect(runScript(scripts.create, { asOther: true })).toEqual(done);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(statSync(join(path, "..")).mode & 0o777).toBe(0o755);
    // What backups of a destination elsewhere leave: the stack's folder is to go all the same.
    mkdirSync(join(path, "jobs/.provision"));
    writeFileSync(join(path, "jobs/.provision/store-0123456789abcdef"), "");
    expect(runScript(scripts.delete).code).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  it("leave the mode of a folder that was there, and what somebody put into it", async () => {
    chmodSync(folder.path, 0o755);
    const scripts = await scriptsOf(() => new Folder("folder", { machine, owner, path: folder.path }));
    runScript(scripts.create, { asOther: true });
    expect(statSync(folder.path).mode & 0o777).toBe(0o755);
    writeFileSync(join(folder.path, "notes"), "");
    runScript(scripts.delete, { asOther: true });
    expect(readdirSync(folder.path)).toEqual(["notes"]);
  });

  it("say what to do where the folder cannot be made", async () => {
    const path = "/proc/provision/dev";
    const { create } = await scriptsOf(() => new Folder("folder", { machine, owner, path }));
    const { code, stderr } = runScript(create, { asOther: true });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /\n\S+ cannot create \/proc\/provision\/dev on \S+\.\nSet provision:host\.directory to a folder /,
    );
  });
});

describe("the backup folders' scripts", () => {
  it("remove nothing but the jobs' own, and only where they may", async () => {
    const root = join(folder.path, "back ups");
    const folders = [{ root, folder: "pre/dev/app" }];
    const keep = await scriptsOf(
      () => new BackupFolders("b", { machine, folders, owner, folder: folder.path, removeOnDestroy: false }),
    );
    const remove = await scriptsOf(
      () => new BackupFolders("b", { machine, folders, owner, folder: folder.path, removeOnDestroy: true }),
    );
    expect(runScript(keep.create).code).toBe(0);
    expect(statSync(root).mode & 0o777).toBe(0o700);
    for (const stack of ["dev", "dev2"]) mkdirSync(join(root, "pre", stack, "app"), { recursive: true });
    writeFileSync(join(root, "pre/.provision-store"), "");
    const all = [".provision-store", "dev", "dev2"];
    const left = () => readdirSync(join(root, "pre")).sort();
    runScript(keep.delete);
    expect(left()).toEqual(all);
    // A folder without this component's mark is another's by now, or was left out by an ordinary update.
    for (const theirs of ["", "4567.abcd org/other/test/backups", "0123.9876 org/project/test/renamed"]) {
      writeFileSync(join(folder.path, ".owner"), `${theirs}\n`);
      expect(runScript(remove.delete)).toEqual({ code: 0, stdout: "", stderr: "" });
      expect(left()).toEqual(all);
    }
    writeFileSync(join(folder.path, ".owner"), "0123.abcd org/project/test/backups\n");
    const kept = join(folder.path, ".backups-kept-abcd");
    writeFileSync(kept, "");
    expect(runScript(remove.delete)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(left()).toEqual(all);
    rmSync(kept);
    const owners = join(root, "pre/dev/app/owners");
    mkdirSync(owners);
    for (const mark of ["20260101T000000Z-0123.json", "20260102T000000Z-4567.json"]) {
      writeFileSync(join(owners, mark), "{}");
      if (mark.endsWith("-0123.json")) continue;
      expect(runScript(remove.delete)).toEqual({ code: 0, stdout: "", stderr: "" });
      expect(left()).toEqual(all);
      rmSync(join(owners, mark));
    }
    expect(runScript(remove.delete)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(readdirSync(join(root, "pre")).sort()).toEqual([".provision-store", "dev2"]);
    for (const job of ["app/20260101T000000Z-abcdef", "notes"])
      mkdirSync(join(root, "pre/dev", job), { recursive: true });
    rmSync(join(root, "pre/dev2"), { recursive: true });
    expect(runScript(remove.delete)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(readdirSync(join(root, "pre/dev"))).toEqual(["notes"]);
    rmSync(join(root, "pre/dev/notes"), { recursive: true });
    expect(runScript(remove.delete)).toEqual({ code: 0, stdout: "", stderr: "" });
    // The folder of the destination itself was perhaps there before the stack.
    expect(readdirSync(root)).toEqual([]);
  });
});
