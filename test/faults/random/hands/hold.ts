import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as immediately, setTimeout as sleep } from "node:timers/promises";
import type { Ended, Invocation } from "../invocation.ts";
import { lastLines, type Broken } from "../oracle/promises.ts";
import { markOf, openDocument, seal } from "./forge.ts";
import { choicesOf, newestGood, type Hand, type Reach } from "./hand.ts";

/** Milliseconds for which a prune stands still at most. */
const STOPPED_MS = 2_500;

/** Backups beside the newest, which a prune then removes. */
const CLONES = 9;

/** A person holds a backup while a prune is about to remove it. */
export function holdDuringPrune({ scenario, place, states, judge }: Reach): Hand | undefined {
  const newest = newestGood(states()[0]);
  const store = place.stores[0];
  if (newest === undefined || store === undefined) return undefined;
  const { pick, chance } = choicesOf(scenario.fault.which);
  place.job.retention = { last: 1, atLeast: 1, removeAtMost: 1 };
  const ids = clone(newest.folder, scenario.job.signed ? place.world.signingKey : undefined, (key, bytes) => {
    store.replace(`faults/app/${key}`, bytes);
  });
  const stops = chance(0.5);
  const id = pick(stops ? ids.slice(1) : ids);
  let held: Ended | undefined;
  return {
    what: `a hold on ${id} ${stops ? "once a prune has begun to remove" : "as a prune begins"}`,
    harmed: ids.map((each) => `0/${each}`),
    act: async (running) => {
      const holding = () => place.start(["hold", id, "--reason", "a person wants it"]).ended;
      if (stops) {
        if (!(await removing(running, ids, join(newest.folder, "..")))) return false;
        running.child.kill("SIGSTOP");
        const asked = holding();
        // A hold may wait for the prune.
        await Promise.race([asked, sleep(STOPPED_MS)]);
        running.child.kill("SIGCONT");
        held = await asked;
      } else {
        await sleep(pick([0, 0, 50, 100, 200]));
        held = await holding();
      }
      return held.code === 0;
    },
    check: async (command, ended) => {
      if (held === undefined) return [];
      const broken: Broken[] = [];
      if (held.code === 0) {
        const { folder } = await store.export();
        const there = (await judge.judge(folder)).find((each) => each.id === id);
        if (there?.faults.length !== 0) {
          const what = there?.faults.join(", ") ?? "nothing is left of it";
          const detail = `hold said "${held.stdout.trim().split("\n")[0] ?? ""}", and after ${command} (${String(ended.code)}) ${id}: ${what}`;
          broken.push({ promise: "a backup that hold calls held is still there", detail });
        }
      } else if (![1, 2].includes(held.code ?? -1)) {
        broken.push({
          promise: "a failure says why",
          detail: `hold ended with ${String(held.code)}: ${lastLines(held.stderr)}`,
        });
      }
      return broken;
    },
    remove: () => Promise.resolve(),
  };
}

/** Whether a prune has removed one of some backups, and goes on. */
async function removing(running: Invocation, ids: readonly string[], folder: string): Promise<boolean> {
  while (running.child.exitCode === null && running.child.signalCode === null) {
    if (ids.some((id) => !existsSync(join(folder, id, "manifest.json")))) return true;
    await immediately();
  }
  return false;
}

/** Older backups that are as good as one that there is, with ids, times and signatures of their own. */
function clone(own: string, key: string | undefined, put: (key: string, bytes: Buffer) => void): string[] {
  const read = (name: string) => readFileSync(join(own, name));
  const text = read("manifest.json").toString();
  const document = openDocument(text);
  const signer = key === undefined ? undefined : { key, mark: markOf(text) };
  const { objects, order } = document as { objects: { file: string }[]; order: number };
  return Array.from({ length: CLONES }, (_, index) => {
    const at = new Date(Date.now() - (CLONES - index) * 3_600_000);
    const stamp = at.toISOString().replace(/[-:]|\.\d+/g, "");
    const id = `${stamp}-c10e0${index.toString(16)}`;
    const time = at.toISOString();
    for (const { file } of objects) put(`${id}/${file}`, read(file));
    const changes = { id, startedAt: time, finishedAt: time, order: order - (CLONES - index) * 3_600_000 };
    const checked = {
      format: 1,
      id,
      program: "provision",
      checkedAt: time,
      outcome: "verified",
      after: [],
      problems: [],
    };
    put(`${id}/verified-${stamp}.json`, Buffer.from(seal(checked, signer)));
    put(`${id}/manifest.json`, Buffer.from(seal({ ...document, ...changes }, signer)));
    return id;
  });
}
