import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Ended, Invocation } from "../invocation.ts";
import type { Broken, PromiseName } from "../oracle/promises.ts";
import type { Store } from "../servers/stores.ts";
import type { Workplace } from "../servers/workplace.ts";
import { forgeArchive, openDocument } from "./forge.ts";
import { choicesOf, newestGood, type Hand, type Reach } from "./hand.ts";

/** Bytes of padding behind an archive whose decoded size is not what the manifest tells. */
const LONG = 30e6;

/** A file that others may make, and whether they have. */
export class Mark {
  readonly file: string;
  readonly log: string;
  readonly #place: Workplace;
  #from: number;

  constructor(place: Workplace, name: string) {
    const folder = join(place.folder, "marks");
    mkdirSync(folder, { recursive: true });
    // Whoever runs the code, it can say so.
    chmodSync(folder, 0o777);
    this.file = join(folder, name);
    this.log = `MARK ${place.folder} ${name}`;
    this.#place = place;
    this.#from = place.world.postgres.logSize();
  }

  /** Forgets that it was made. */
  clear(): void {
    rmSync(this.file, { force: true });
  }

  /** What the mark says, as a broken promise; nothing where it was not made. */
  check(promise: PromiseName, { args }: Ended): Broken[] {
    const logged = this.#place.world.postgres.logSince(this.#from).split("\n");
    const said = logged.find((line) => line.includes(`LOG:  ${this.log}`));
    this.#from = this.#place.world.postgres.logSize();
    const made = existsSync(this.file) ? [`ran a program of the server's user`] : said ? [`ran (${said})`] : [];
    this.clear();
    return made.map((how) => ({ promise, detail: `with ${args.join(" ")} foreign code ${how}` }));
  }
}

/**
 * A writer of the store puts a forged archive in the place of the newest backup's: before the command, or between two readings of it.
 * The manifest stays as it is.
 */
export async function forgedArchive({ scenario, place, states }: Reach): Promise<Hand | undefined> {
  const { pick, chance } = choicesOf(scenario.fault.which);
  const swap = chance(0.3);
  const terminated = !swap && chance(0.3);
  const everywhere = !chance(0.25);
  const exact = chance(0.35);
  const mark = new Mark(place, "forged-archive");
  const forged: { store: Store; index: number; key: string; bytes: Buffer; id: string }[] = [];
  for (const [index, store] of place.stores.entries()) {
    const newest = newestGood(states()[index]);
    const objects = (newest?.manifest?.objects ?? []).filter(({ format }) => format.startsWith("pg_dump-"));
    const object = objects.find(({ database }) => database === scenario.job.source) ?? objects[0];
    if (newest === undefined || object === undefined || (!everywhere && forged.length > 0)) continue;
    const { recipients } = openDocument(readFileSync(join(newest.folder, "manifest.json"), "utf8"));
    // Whose size nobody has to believe takes longer to read than it does to act.
    const plain = { size: exact ? object.plain.size : object.plain.size + LONG };
    const bytes = await forgeArchive(place, { ...object, plain }, recipients as string[], mark);
    forged.push({ store, index, bytes, id: newest.id, key: `faults/app/${newest.id}/${object.file}` });
  }
  if (forged.length === 0) return undefined;
  const put = () => {
    for (const { store, key, bytes } of forged) store.replace(key, bytes);
  };
  if (!swap) put();
  const names = forged.map(({ key, index }) => `${key} of destination ${index}`).join(", ");
  const how = swap ? "between two readings" : terminated ? "before, and SIGTERM while it is read" : "before";
  return {
    what: `a forged archive in the place of ${names}, ${how}`,
    harmed: forged.map(({ index, id }) => `${index}/${id}`),
    act: async (running) => {
      if (terminated) await terminate(running, pick([0, 30, 150, 400]));
      if (!swap) return true;
      return (await Promise.all(forged.map((each) => swapBetween(each, running)))).some(Boolean);
    },
    check: (command, ended) => {
      const broken = mark.check("no unproven byte acts", ended);
      const due = command === "restore" || command === "drill" || command === "verify";
      if (due && !swap && forged.length === place.stores.length && ended.code === 0) {
        broken.push({
          promise: "no unproven byte acts",
          detail: `${ended.args.join(" ")} of a forged archive ended with 0`,
        });
      }
      return Promise.resolve(broken);
    },
    // What stays forged is a damaged backup, as the next runs have to find.
    remove: () => Promise.resolve(),
  };
}

/** Asks the command to end while pg_restore reads. */
async function terminate(running: Invocation, afterMs: number): Promise<void> {
  while (running.child.exitCode === null && running.child.signalCode === null) {
    if (running.tree.living("pg_restore").length > 0) {
      await sleep(afterMs);
      running.child.kill("SIGTERM");
      return;
    }
    await sleep(3);
  }
}

/** Replaces an object right after its first reading has begun, or before its second one begins. */
async function swapBetween(
  { store, key, bytes }: { store: Store; key: string; bytes: Buffer },
  running: Invocation,
): Promise<boolean> {
  const { proxy, folder } = store;
  let seen = 0;
  if (proxy !== undefined) {
    // Told before the request gets on its way.
    proxy.overhear = (request) => {
      if (!request.includes(key) || request.startsWith("HEAD") || (seen += 1) !== 2) return;
      store.replace(key, bytes);
    };
    await running.ended;
    proxy.overhear = undefined;
    return seen > 1;
  }
  const path = join(folder ?? "", key);
  while (running.child.exitCode === null && running.child.signalCode === null) {
    if (hasOpen([running.child.pid ?? 0, ...running.tree.living().map(({ pid }) => pid)], path)) {
      // What is being read goes on to be, and whoever opens the name again gets the other.
      writeFileSync(`${path}.other`, bytes, { mode: 0o600 });
      renameSync(`${path}.other`, path);
      return true;
    }
    await sleep(2);
  }
  return false;
}

function hasOpen(pids: readonly number[], path: string): boolean {
  return pids.some((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => {
        try {
          return readlinkSync(`/proc/${pid}/fd/${fd}`) === path;
        } catch {
          return false;
        }
      });
    } catch {
      return false;
    }
  });
}
