import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { appendFile, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { filesystem } from "../../../providers/storage/filesystem.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { OpenStorage } from "../../contract/storage.ts";

/** A store in a folder. */
export const open = (path: string, stallTimeoutSeconds = 60): Promise<StorageProvider> =>
  filesystem.create({ kind: "filesystem", path, stallTimeoutSeconds }, { secrets: {} });

/** A new folder. */
export const temporaryFolder = () => mkdtempSync(join(tmpdir(), "filesystem-test-"));

/** All partial files below a folder. */
export function partials(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".partial"))
    .map((name) => join(folder, name));
}

/** A process that uploads without end, and prints how its upload ended if it does. */
export function startUpload(root: string, key: string, wrapper: readonly string[] = []) {
  const [program = process.execPath, ...args] = wrapper.concat(process.execPath);
  return spawn(program, [...args, join(import.meta.dirname, "../upload-process.ts"), root, key, "endless"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** What the contract may expect. */
export const capabilities = {
  unicodeKeys: true,
  oddKeys: true,
  // Other bytes of the same number are found by the verification, which reads everything back.
  lies: ["shorter", "longer"],
  chunkBytes: 2 * 1024 * 1024,
  maxBuffered: 8 * 1024 * 1024,
  refusesToOverwrite: true,
  leavesUnfinished: true,
} as const;

/** A store of its own. */
export const openFolder: OpenStorage = async ({ stallTimeoutSeconds }) => {
  const folder = temporaryFolder();
  const root = join(folder, "store");
  const partialOf = (key: string) => partials(dirname(join(root, key)))[0];
  return {
    storage: await open(root, stallTimeoutSeconds),
    async tamper(key, size, lie) {
      const partial = partialOf(key) ?? "";
      while (statSync(partial).size < size) await sleep(2);
      if (lie === "shorter") await truncate(partial, size - 1);
      else await appendFile(partial, "x");
    },
    received: (key) => {
      const partial = partialOf(key);
      return Promise.resolve(partial === undefined ? 0 : statSync(partial).size);
    },
    async strand(key) {
      const child = startUpload(root, key);
      while (partials(dirname(join(root, key))).length === 0) await sleep(5);
      child.kill("SIGKILL");
      await once(child, "close");
    },
    unfinished: () => Promise.resolve(partials(root).length),
    dispose: () => {
      rmSync(folder, { recursive: true });
      return Promise.resolve();
    },
  };
};
