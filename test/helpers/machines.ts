import { existsSync, globSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureProgram } from "./ensure-program.ts";
import type { Running, Sandbox } from "./sandbox.ts";

const hasFaketime = await ensureProgram("faketime", "faketime");
const [library = ""] = globSync("/usr/lib/**/faketime/libfaketime.so.1");

/** Whether {@link withClock} can be had here. */
export const hasClocks = hasFaketime && library !== "";

/** Gives a machine a clock that is off, as faketime's offset says: `+5h`. */
export function withClock(sandbox: Sandbox, offset: string): Sandbox {
  const faked = { LD_PRELOAD: library, FAKETIME: offset, NO_FAKE_STAT: "1", FAKETIME_DONT_FAKE_MONOTONIC: "1" };
  Object.assign(sandbox.environment, { ...faked, DONT_FAKE_MONOTONIC: "1" });
  return sandbox;
}

/** A run of which a program of PostgreSQL's has begun, and waits until it may go on. */
export async function waiting(
  sandbox: Sandbox,
  realFolder: string,
  program: "pg_dump" | "pg_dumpall" = "pg_dump",
): Promise<Running & { readonly goOn: () => void }> {
  const [begun, go] = [join(sandbox.path, "begun"), join(sandbox.path, "go")];
  const wait = `while [ ! -e '${go}' ] && [ -d '${sandbox.path}' ]; do sleep 0.05; done`;
  sandbox.replaceClient(program, realFolder, `touch '${begun}'; ${wait}; exec "$real" "$@"`);
  const run = sandbox.start("backup", "--json");
  while (!existsSync(begun)) {
    if (run.child.exitCode !== null) throw new Error((await run.ended).stderr);
    await sleep(10);
  }
  const goOn = () => {
    writeFileSync(go, "");
  };
  return { ...run, goOn };
}
