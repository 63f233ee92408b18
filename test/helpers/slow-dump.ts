import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Sandbox } from "./sandbox.ts";

/** Makes a job's pg_dump wait for ever; says when one has begun, and lets those go that outlived their run. */
export function makeDumpHang(sandbox: Sandbox, realFolder: string): { begun(): Promise<void>; release(): void } {
  const [begun, go] = [join(sandbox.path, "begun"), join(sandbox.path, "go")];
  const wait = `while [ ! -e '${go}' ] && [ -d '${sandbox.path}' ]; do sleep 0.05; done`;
  sandbox.replaceClient("pg_dump", realFolder, `touch '${begun}'; ${wait}; exit 1`);
  return {
    async begun() {
      while (!existsSync(begun)) await sleep(10);
    },
    release() {
      writeFileSync(go, "");
    },
  };
}
