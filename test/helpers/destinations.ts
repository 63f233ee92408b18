import { expect } from "vitest";
import type { Postgres } from "../../tools/postgres.ts";
import { emptyDatabase, relationCount } from "./databases.ts";
import type { Ended, Sandbox } from "./sandbox.ts";

/** What doctor tries at a destination where nothing is wrong. */
export const DESTINATION_CHECKS = ["write", "clock", "read", "list", "remove", "lease", "backups", "times"];

/** A job that keeps one backup of the database `shop` in one destination. */
interface Kept {
  readonly postgres: Postgres;
  readonly sandbox: Sandbox;
  /** Runs `provision`. */
  readonly run: (...args: string[]) => Promise<Ended>;
  /** How many of the faults that the first backup has to pass through did not come up. */
  readonly pendingFaults: () => number;
  /** The keys of all objects in the store. */
  readonly keys: () => string[] | Promise<string[]>;
}

/** Backs up twice, which prunes the first backup, then lists, verifies and restores the second. */
export async function expectWholeUse({ postgres, sandbox, run, pendingFaults, keys }: Kept): Promise<void> {
  const succeed = async (...args: string[]) => {
    const ended = await run(...args);
    expect(ended.code, `${args.join(" ")}: ${ended.stderr}`).toBe(0);
    return ended;
  };
  await succeed("backup");
  expect(pendingFaults(), "faults that nothing ran into").toBe(0);
  await succeed("backup");
  const stored = await keys();
  expect(stored.some((key) => key.endsWith("/manifest.json"))).toBe(true);
  const folders = new Set(stored.map((key) => key.split("/").slice(0, -1).join("/")));
  expect([...folders]).toHaveLength(1);
  expect((await succeed("list")).stdout).toContain([...folders][0]?.split("/").at(-1));
  await succeed("verify");
  sandbox.environment.TARGET = await emptyDatabase(postgres, "restored");
  await succeed("restore", "--to", "env:TARGET");
  expect(await relationCount(postgres, "restored")).toBe(await relationCount(postgres, "shop"));
}
