import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { readFile, readdir, truncate, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { filesystem } from "../../../providers/storage/filesystem.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { open, partials, startUpload, temporaryFolder } from "../../helpers/stores/filesystem.ts";
import { bytesOf, digest, digestOf, streamOf, streamThen } from "../../helpers/bytes.ts";
import { failureOf } from "../../helpers/failure.ts";
import { keysIn } from "../../helpers/store.ts";

/** Uploads so many bytes in a process of its own that runs under the wrapper, and says how that ended. */
function uploadUnder(wrapper: readonly string[], root: string, key: string, size: number) {
  return uploadsUnder(wrapper, root, key, [size])[0];
}

/** The same with several uploads of the same key at the same time. */
function uploadsUnder(wrapper: readonly string[], root: string, key: string, sizes: readonly number[]) {
  const [program = process.execPath, ...args] = wrapper.concat(process.execPath);
  const script = join(import.meta.dirname, "../../helpers/upload-process.ts");
  const { stdout, stderr } = spawnSync(program, [...args, script, root, key, ...sizes.map(String)], {
    encoding: "utf8",
  });
  expect(stdout, stderr).not.toBe("");
  const lines = stdout.trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as { size?: number; code?: string; message?: string; fix?: string });
}

/** Says why a test cannot run here; the condition must be printed, never silent. */
function cannot(what: string, why: string): void {
  process.stdout.write(`not tested: ${what}: ${why}\n`);
}

const isRoot = process.getuid?.() === 0;

describe("filesystem storage", () => {
  let folder: string;
  let root: string;
  let storage: StorageProvider;
  beforeEach(async () => {
    folder = temporaryFolder();
    root = join(folder, "new", "store");
    storage = await open(root);
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const put = (key: string, bytes = bytesOf(100)) => storage.upload(key, streamOf(bytes));
  const keys = (prefix = "") => keysIn(storage, prefix);

  it("needs a path, and says so", async () => {
    const error = await failureOf(filesystem.create({ kind: "filesystem", stallTimeoutSeconds: 1 }, { secrets: {} }));
    expect(error).toMatchObject({ code: "CONFIG", message: "The storage of kind filesystem has no path." });
    expect(error.fix).toBe("Set path to an absolute folder, for instance path: /srv/backups.");
  });

  it("keeps everything below its prefix, and reports keys without it", async () => {
    const config = filesystem.schema.parse({ kind: "filesystem", path: root, prefix: "team/a" });
    storage = await filesystem.create(config, { secrets: {} });
    await put("stack/object");
    expect(existsSync(join(root, "team/a/stack/object"))).toBe(true);
    expect(await keys()).toEqual(["stack/object"]);
    await storage.remove(["stack/object"]);
    expect(readdirSync(join(root, "team/a"))).toEqual([]);
  });

  it("makes files of mode 0600 in folders of mode 0700, also under a loose umask", async () => {
    const umask = process.umask(0);
    try {
      await storage.upload(
        "a/b/object",
        streamThen(bytesOf(10), () => {
          expect(partials(root).map((path) => statSync(path).mode & 0o777)).toEqual([0o600]);
        }),
      );
    } finally {
      process.umask(umask);
    }
    expect(statSync(join(root, "a/b/object")).mode & 0o777).toBe(0o600);
    for (const path of [dirname(root), root, join(root, "a"), join(root, "a/b")]) {
      expect(statSync(path).mode & 0o777).toBe(0o700);
    }
  });

  it("removes the folders that it leaves empty, and not its root", async () => {
    await put("a/b/c/object");
    await put("a/other");
    await storage.remove(["a/b/c/object"]);
    expect(readdirSync(join(root, "a"))).toEqual(["other"]);
    await storage.remove(["a/other"]);
    expect(readdirSync(root)).toEqual([]);
  });

  it("leaves no empty folder after an upload that failed", async () => {
    const source = streamThen(bytesOf(10), (stream) => {
      stream.destroy(new Error("failed"));
    });
    await failureOf(storage.upload("a/b/object", source));
    expect(readdirSync(root)).toEqual([]);
  });

  it("goes on when another process removes the empty folder under it", async () => {
    const removals = (async () => {
      for (let count = 0; count < 60; count += 1) {
        await storage.remove(["shared/missing", `shared/${count - 3}`]);
        rmSync(join(root, "shared"), { recursive: false, force: true });
      }
    })().catch(() => undefined);
    const uploads = Array.from({ length: 60 }, (_, index) => put(`shared/${index}`).then(() => true));
    const outcomes = await Promise.all(uploads);
    await removals;
    expect(outcomes.every(Boolean)).toBe(true);
  });

  it.each([".abc.partial", "folder/.abc.partial", ".x.partial/object"])("refuses the key %s", async (key) => {
    expect(await failureOf(put(key))).toMatchObject({ code: "CONFIG" });
    expect(await failureOf(storage.stat(key))).toMatchObject({ code: "CONFIG" });
    expect(await failureOf(storage.remove([key]))).toMatchObject({ code: "CONFIG" });
  });

  it("takes the longest name that file systems take", async () => {
    const key = `a/${"x".repeat(255)}`;
    await put(key);
    expect(await keys()).toEqual([key]);
  });

  describe("symbolic links", () => {
    beforeEach(() => {
      mkdirSync(root, { recursive: true });
      mkdirSync(join(folder, "outside"));
      writeFileSync(join(folder, "outside", "file"), "not ours");
    });

    it("that lead out of the root are refused, and nothing outside is touched", async () => {
      symlinkSync(join(folder, "outside"), join(root, "link"));
      for (const request of [
        () => put("link/object"),
        () => put("link/deep/object"),
        () => storage.stat("link/file"),
        () => storage.download("link/file"),
        () => storage.remove(["link/file"]),
        () => keys("link"),
        () => storage.removeUnfinished("link", new Date()),
      ]) {
        const error = await failureOf(request());
        expect(error.code).toBe("CONFIG");
        expect(error.message).toContain(join(folder, "outside"));
        expect(error.fix).toBe("Remove the link, or set path to the folder that it leads to.");
      }
      expect(readdirSync(join(folder, "outside"))).toEqual(["file"]);
      expect(await keys()).toEqual([]);
    });

    it("in an object's place are no objects", async () => {
      symlinkSync(join(folder, "outside", "file"), join(root, "object"));
      symlinkSync(join(folder, "nowhere"), join(root, "dangling"));
      expect(await failureOf(storage.stat("object"))).toMatchObject({ code: "NOT_FOUND" });
      expect(await failureOf(storage.download("object"))).toMatchObject({ code: "NOT_FOUND" });
      expect(await failureOf(put("object"))).toMatchObject({ code: "CONFLICT" });
      expect(await failureOf(put("dangling"))).toMatchObject({ code: "CONFLICT" });
      await storage.remove(["object"]);
      expect(await keys()).toEqual([]);
      expect(existsSync(join(folder, "nowhere"))).toBe(false);
      expect(readdirSync(join(folder, "outside"))).toEqual(["file"]);
    });

    it("to the root itself are fine", async () => {
      symlinkSync(root, join(folder, "alias"));
      storage = await open(join(folder, "alias"));
      await put("a/object");
      expect(await keys()).toEqual(["a/object"]);
    });
  });

  it("says whose fault it is when a file stands where a folder should", async () => {
    await put("object");
    expect(await failureOf(put("object/below"))).toMatchObject({ code: "CONFLICT" });
    storage = await open(join(root, "object"));
    const error = await failureOf(put("below"));
    expect(error.code).toBe("CONFIG");
    expect(error.message).toContain(join(root, "object"));
  });

  it("notices a file that is cut while it is read", async () => {
    await put("object", bytesOf(8 * 1024 * 1024));
    const stream = await storage.download("object");
    await truncate(join(root, "object"), 5 * 1024 * 1024);
    expect(await failureOf(digestOf(stream))).toMatchObject({ code: "INTEGRITY" });
  });

  it("notices bytes lost in mid-upload that later ones would cover up", async () => {
    const source = streamThen(bytesOf(100_000), async (stream) => {
      const [partial = ""] = partials(root);
      while (statSync(partial).size < 100_000) await sleep(2);
      await truncate(partial, 0);
      stream.push(bytesOf(100_000));
    });
    expect(await failureOf(storage.upload("object", source))).toMatchObject({ code: "INTEGRITY" });
    expect(await keys()).toEqual([]);
  });

  it("fails when somebody removes the file that it writes", async () => {
    const source = streamThen(bytesOf(10), () => {
      for (const partial of partials(root)) rmSync(partial);
    });
    const error = await failureOf(storage.upload("object", source));
    expect(error.code).toBe("TRANSIENT");
    expect(error.message).toMatch(/^Somebody removed .*\.partial while it was being written\.$/);
    expect(await keys()).toEqual([]);
  });

  it("an upload that is older but still going keeps its file", async () => {
    let removed = -1;
    const source = streamThen(bytesOf(10), async () => {
      removed = await storage.removeUnfinished("", new Date(Date.now() - 60_000));
    });
    await storage.upload("object", source);
    expect(removed).toBe(0);
  });

  it("refuses a key that exists before it reads the source", async () => {
    await put("object");
    const source = streamThen(bytesOf(10), () => {
      throw new Error("It was read.");
    });
    expect(await failureOf(storage.upload("object", source))).toMatchObject({ code: "CONFLICT" });
  });

  it("keeps no timer and no listener when a transfer is over", async () => {
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    };
    await sleep(20);
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const before = timers();
    await storage.upload("object", streamOf(bytesOf(10)), { signal });
    await digestOf(await storage.download("object", { signal }));
    (await storage.download("object", { signal })).destroy();
    await failureOf(storage.download("missing", { signal }));
    await sleep(5);
    expect(listeners).toBe(0);
    expect(timers()).toBeLessThanOrEqual(before);
  });

  it("kill -9 in mid-upload leaves nothing visible, and one file for removeUnfinished", async () => {
    for (const wait of [0, 20, 60]) {
      const child = startUpload(root, "a/object");
      while (partials(root).length === 0) await sleep(2);
      await sleep(wait);
      child.kill("SIGKILL");
      await once(child, "close");
      expect(await keys()).toEqual([]);
      expect(partials(root)).toHaveLength(1);
      expect(await storage.removeUnfinished("a", new Date(Date.now() - 60_000))).toBe(0);
      expect(await storage.removeUnfinished("a", new Date(Date.now() + 60_000))).toBe(1);
      expect(existsSync(join(root, "a"))).toBe(false);
    }
  });

  it("a full file system is QUOTA, says how much is free, and nothing is left", async () => {
    mkdirSync(root, { recursive: true });
    const mounted = isRoot ? spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", root]).status === 0 : false;
    if (!mounted) {
      cannot("a full file system", "mounting one is not permitted here; a limit of the file size is tested below");
      return;
    }
    try {
      const error = await failureOf(put("a/object", bytesOf(6 * 1024 * 1024)));
      expect(error.code).toBe("QUOTA");
      expect(error.message).toMatch(/^Cannot write .*: the file system is full, \d\.\d MiB free \(ENOSPC\)\.$/);
      expect(error.fix).toBe("Free some space, keep fewer backups, or use a larger disk.");
      expect(readdirSync(root)).toEqual([]);
      await put("a/object", bytesOf(3 * 1024 * 1024));
      expect(await digestOf(await storage.download("a/object"))).toBe(digest(bytesOf(3 * 1024 * 1024)));
    } finally {
      spawnSync("umount", [root]);
    }
  });

  it("a limit of the file size is QUOTA, and nothing is left", () => {
    const limit = ["sh", "-c", 'ulimit -f 2000; exec "$@"', "sh"];
    const outcome = uploadUnder(limit, root, "a/object", 4_000_000);
    expect(outcome).toMatchObject({ code: "QUOTA", fix: expect.stringContaining("ulimit -f") as string });
    expect(readdirSync(root)).toEqual([]);
  });

  describe("with system calls that fail", () => {
    const strace = spawnSync("strace", ["-f", "-e", "trace=none", "true"]).status === 0;
    const failing = (...faults: string[]) => [
      "strace",
      "-f",
      "-qq",
      "-o",
      "/dev/null",
      ...faults.flatMap((fault) => ["-e", `inject=${fault}`]),
    ];

    it("publishes without hard links, and still overwrites nothing", async () => {
      if (!strace) {
        cannot("a file system without hard links", "there is no strace that may trace processes");
        return;
      }
      const noLinks = failing("link,linkat:error=EPERM");
      expect(uploadUnder(noLinks, root, "a/object", 100_000)).toMatchObject({ size: 100_000 });
      expect(readdirSync(join(root, "a"))).toEqual(["object"]);
      expect(uploadUnder(noLinks, root, "a/object", 5)).toMatchObject({ code: "CONFLICT" });
      expect(await storage.stat("a/object")).toMatchObject({ size: 100_000 });
      expect(readdirSync(join(root, "a"))).toEqual(["object"]);
      const race = uploadsUnder(noLinks, root, "b/object", [1, 3_000_000, 9_000_000, 1]);
      expect(race.filter(({ size }) => size !== undefined)).toHaveLength(1);
      expect(race.filter(({ code }) => code === "CONFLICT")).toHaveLength(3);
      expect(readdirSync(join(root, "b"))).toEqual(["object"]);
    });

    it("makes the file, its name and its new folders survive a power cut, in this order", async () => {
      if (!strace) {
        cannot("the order of fsync and link", "there is no strace that may trace processes");
        return;
      }
      const trace = join(folder, "trace");
      const traced = ["strace", "-f", "-y", "-qq", "-e", "trace=fsync,link,linkat", "-o", trace];
      expect(uploadUnder(traced, root, "a/b/object", 100)).toMatchObject({ size: 100 });
      const calls = (await readFile(trace, "utf8"))
        .split("\n")
        .map((line) => /(fsync|link)\w*\((?:\d+<(.*?)>|.*)/.exec(line))
        .flatMap((match) => (match === null ? [] : [match[2] ?? "link"]));
      expect(calls).toEqual([
        expect.stringMatching(/\.partial$/),
        "link",
        join(root, "a/b"),
        join(root, "a"),
        root,
        dirname(root),
        folder,
      ]);
    });

    it("reports a write-back that failed in the background, and leaves nothing", async () => {
      if (!strace) {
        cannot("a disk that fails", "there is no strace that may trace processes");
        return;
      }
      // Only the background's fdatasync fails; the fsync at the end succeeds, as it does on a real kernel.
      const outcome = uploadUnder(failing("fdatasync:error=EIO"), root, "a/object", 70_000_000);
      expect(outcome).toMatchObject({ code: "TRANSIENT", fix: expect.stringContaining("dmesg") as string });
      expect(await keys()).toEqual([]);
      expect(uploadUnder(failing("fsync:error=EDQUOT"), root, "a/object", 100)).toMatchObject({ code: "QUOTA" });
      expect(readdirSync(root)).toEqual([]);
    });
  });

  it("a folder without permission is AUTH, and says which", async () => {
    mkdirSync(root, { recursive: true });
    if (isRoot) {
      const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
      chmodSync(folder, 0o755);
      chmodSync(dirname(root), 0o755);
      chmodSync(root, 0o755);
      if (spawnSync("setpriv", ["--version"]).status !== 0) {
        cannot("a folder without permission", "there is no setpriv to become another user with");
        return;
      }
      const outcome = uploadUnder(nobody, root, "a/object", 10);
      expect(outcome).toMatchObject({ code: "AUTH", message: expect.stringContaining(root) as string });
    } else {
      chmodSync(root, 0o500);
      expect(await failureOf(put("a/object"))).toMatchObject({ code: "AUTH" });
    }
  });

  it("a file in the place of its root is a mistake of the configuration, whatever is asked", async () => {
    mkdirSync(dirname(root), { recursive: true });
    writeFileSync(root, "a file");
    for (const work of [
      () => put("a/object"),
      () => keys(),
      () => storage.stat("a/object"),
      () => storage.download("a/object"),
    ]) {
      expect(await failureOf(work())).toMatchObject({
        code: "CONFIG",
        message: `${root} is a file, and backups are kept in a folder.`,
        fix: expect.stringContaining("Set path to a folder") as string,
      });
    }
    expect(readFileSync(root, "utf8")).toBe("a file");
  });

  describe("what was just written", () => {
    const SIZE = 4 * 1024 * 1024;
    /** Bytes of the object that are in memory, as util-linux's fincore says. */
    const inMemory = () => {
      const { stdout } = spawnSync("fincore", ["--bytes", "--noheadings", "--output=RES", join(root, "a/object")], {
        encoding: "utf8",
      });
      return Number(stdout);
    };
    beforeEach(async () => {
      await storage.upload("a/object", streamOf(bytesOf(SIZE), 100_000));
    });
    afterEach(() => {
      vi.unstubAllEnvs();
    });

    it("is read from the disk, where that is asked for", async () => {
      const TMPFS = 0x01021994;
      if (spawnSync("fincore", ["--version"]).status !== 0 || statfsSync(root).type === TMPFS) {
        cannot("that a file comes from the disk", "there is no fincore, or the folder lies in memory");
        return;
      }
      expect(inMemory()).toBe(SIZE);
      expect(await digestOf(await storage.download("a/object"))).toBe(digest(bytesOf(SIZE)));
      expect(inMemory()).toBe(SIZE);
      const stream = await storage.download("a/object", { fromMedium: true });
      expect(inMemory()).toBe(0);
      expect(await digestOf(stream)).toBe(digest(bytesOf(SIZE)));
      expect(storage.readsMemory).toBe(false);
    });

    it.each([
      ["there is no dd", undefined],
      ["dd is not GNU's", "exit 1"],
    ])("may come from memory where %s, which the store says", async (_name, script) => {
      const programs = join(folder, "programs");
      mkdirSync(programs);
      if (script !== undefined) writeFileSync(join(programs, "dd"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      vi.stubEnv("PATH", programs);
      const stream = await storage.download("a/object", { fromMedium: true });
      expect(await digestOf(stream)).toBe(digest(bytesOf(SIZE)));
      expect(storage.readsMemory).toBe(true);
    });
  });

  it("skips what is no regular file, and folders that vanish", async () => {
    await put("a/object");
    await writeFile(join(root, "a", ".0123.partial"), "");
    spawnSync("mkfifo", [join(root, "a", "fifo")]);
    expect(await keys()).toEqual(["a/object"]);
    expect((await readdir(join(root, "a"))).map((name) => basename(name)).sort()).toEqual([
      ".0123.partial",
      "fifo",
      "object",
    ]);
    expect(await failureOf(storage.download("a/fifo").then((stream) => stream.destroy()))).toMatchObject({
      code: "NOT_FOUND",
    });
  });
});
