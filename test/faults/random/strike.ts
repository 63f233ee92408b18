import { setTimeout as sleep } from "node:timers/promises";
import type { Invocation } from "./invocation.ts";
import { isHand, type DrawnFault, type FaultName, type Moment } from "./scenario.ts";
import type { Trouble } from "./servers/tcp-proxy.ts";
import { harmNewest } from "./hands/harm.ts";
import { patienceOf, type Workplace } from "./servers/workplace.ts";

/** What a fault changes before its command starts. */
export interface Preparation {
  readonly env?: Record<string, string>;
}

/** What became of a fault. */
export interface Struck {
  /** Whether its moment came, and there was something to strike. */
  readonly hit: boolean;
  /** What exactly was done, for the report. */
  readonly what: string;
  /** Objects that were removed or damaged, as `store/backup`. */
  readonly harmed: readonly string[];
  /** Ends it, where it has not ended by itself. */
  readonly heal: () => Promise<void>;
}

/** How far a clock is off, as libfaketime takes it. */
const OFFSETS = ["90s", "3h", "2d", "40d"] as const;

/** The library that makes a program's clock wrong, where Debian has it. */
export const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/** What must be there from the start: a clock that is wrong. */
export function prepare(fault: DrawnFault): Preparation {
  const clock = clockOf(fault);
  return clock === undefined ? {} : { env: fakedClock(clock) };
}

/** The variables with which a program's clock is off, such as by `-5m`. */
export function fakedClock(clock: string): Record<string, string> {
  const env = { FAKETIME: clock, FAKETIME_DONT_FAKE_MONOTONIC: "1", DONT_FAKE_MONOTONIC: "1", NO_FAKE_STAT: "1" };
  return { ...env, LD_PRELOAD: FAKETIME };
}

/** By how much the clock is off; undefined where it is right. */
export function clockOf({ name, which }: DrawnFault): string | undefined {
  if (!name.startsWith("clock ")) return undefined;
  const offset = OFFSETS[Math.floor(which * OFFSETS.length)] ?? "2d";
  return `${name === "clock ahead" ? "+" : "-"}${offset}`;
}

/** Waits for the fault's moment and does it, unless the command has ended before. */
export async function strike(fault: DrawnFault, place: Workplace, running: Invocation): Promise<Struck> {
  const over = new AbortController();
  void running.ended.finally(() => {
    over.abort();
  });
  const nothing = { harmed: [], heal: () => Promise.resolve() };
  if (fault.name === "none" || fault.name.startsWith("clock ")) {
    return { ...nothing, hit: true, what: clockOf(fault) ?? "nothing" };
  }
  if (fault.name === "two runs" || fault.name === "hostile folder" || isHand(fault.name))
    return { ...nothing, hit: true, what: fault.name };
  const came = await momentCame(fault, place, running, over.signal);
  if (!came) return { ...nothing, hit: false, what: "its moment did not come" };
  const struck = await strikeNow(fault, place, running, over.signal);
  const { lasts } = fault;
  if (lasts === undefined || !struck.hit) return struck;
  let healed = false;
  const heal = async () => {
    if (healed) return;
    healed = true;
    await struck.heal();
  };
  const timed = sleep(lasts, undefined, { signal: over.signal }).then(heal, () => undefined);
  return {
    ...struck,
    what: `${struck.what}, for ${lasts} ms`,
    heal: async () => {
      await timed;
      await heal();
    },
  };
}

/** Waits for a fault's moment. Gives false where the command has ended before. */
export async function momentCame(
  fault: DrawnFault,
  place: Workplace,
  running: Invocation,
  over: AbortSignal,
): Promise<boolean> {
  const paceMs = place.world.pace.get(place.shape.source) ?? 2_000;
  return waitFor(momentOf(fault), paceMs, running, over);
}

/** What strikes a program waits for that program. */
function momentOf({ name, moment }: DrawnFault): Moment {
  if (name.startsWith("pg_dump ")) return { after: "pg_dump", plus: moment.plus };
  if (name.startsWith("pg_restore ")) return { after: "pg_restore", plus: moment.plus };
  return moment;
}

/** How much of a backup is usually left at a moment. */
const REST: Readonly<Record<Moment["after"], number>> = {
  start: 1,
  "connect: done": 0.7,
  pg_dump: 0.7,
  "store: done": 0.5,
  "commit: done": 0.25,
  pg_restore: 0.25,
  "verify: done": 0.1,
};

async function waitFor(
  { after, plus }: Moment,
  paceMs: number,
  running: Invocation,
  over: AbortSignal,
): Promise<boolean> {
  const isProgram = after === "pg_dump" || after === "pg_restore";
  for (;;) {
    if (over.aborted) return false;
    if (after === "start") break;
    if (isProgram ? running.tree.living(after).length > 0 : running.said().includes(`"${after}"`)) break;
    await sleep(5);
  }
  await sleep(plus * paceMs * REST[after], undefined, { signal: over }).catch(() => undefined);
  return !over.aborted;
}

type Done = Omit<Struck, "harmed"> & { readonly harmed?: readonly string[] };

async function strikeNow(fault: DrawnFault, place: Workplace, running: Invocation, over: AbortSignal): Promise<Struck> {
  const done = await act(fault, place, running, over);
  return { harmed: [], ...done };
}

async function act(fault: DrawnFault, place: Workplace, running: Invocation, over: AbortSignal): Promise<Done> {
  const { name, which, bytes } = fault;
  const { postgres, s3 } = place.world;
  const [subject = "", verb = ""] = name.split(/ (.*)/);
  if (subject === "runner") return signalRunner(verb as NodeJS.Signals, running);
  if (subject === "pg_dump" || subject === "pg_restore") {
    return signalProgram(subject, verb as NodeJS.Signals, running, which);
  }
  if (subject === "store" && name !== "store killed") return troubleStore(fault, place);
  if (subject === "database") return trouble(place.database, troubleOf(name, bytes, which));
  switch (name) {
    case "backends terminated":
      await postgres
        .sql(
          "postgres",
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend';",
        )
        .catch(() => undefined);
      return { hit: true, what: "all connections of the server were ended", heal: () => Promise.resolve() };
    case "server killed":
      await postgres.kill();
      return { hit: true, what: "kill -9 of PostgreSQL", heal: () => postgres.recover() };
    case "store killed":
      s3?.kill();
      return { hit: true, what: "kill -9 of the S3 server", heal: async () => s3?.recover() };
    case "disk full": {
      const index = pick(
        place.stores.map((_, each) => each).filter((each) => place.stores[each]?.kind === "filesystem"),
        which,
      );
      return fill(place, place.stores[index]?.folder ?? "", bytes);
    }
    case "scratch full":
      return fill(place, place.scratch, bytes);
    case "monitor hangs":
      place.webhook.behaviour = which < 0.5 ? "hang" : "cut";
      return {
        hit: true,
        what: `the monitor ${which < 0.5 ? "hangs" : "cuts"}`,
        heal: () => {
          place.webhook.behaviour = "answer";
          return Promise.resolve();
        },
      };
    case "schema changes":
      return changeSchema(place, over);
    case "table locked":
      return lockTable(place, over, which);
    case "object removed":
    case "object damaged":
    case "manifest damaged":
      return harmNewest(name, place, which, bytes);
    case "time limit":
      // Only a store or a database that is silent for longer than its own limits keeps a run for that long.
      running.child.kill("SIGSTOP");
      setTimeout(() => running.child.kill("SIGCONT"), place.timeoutMinutes * 60_000 + 2_000).unref();
      return { hit: true, what: "stopped until its time limit was over", heal: () => Promise.resolve() };
    default:
      // Those that are done before or beside the command.
      return { hit: true, what: name, heal: () => Promise.resolve() };
  }
}

function signalRunner(signal: NodeJS.Signals, { child }: Invocation): Done {
  const hit = child.kill(signal);
  return {
    hit,
    what: `${signal} of the runner`,
    heal: () => {
      child.kill("SIGCONT");
      return Promise.resolve();
    },
  };
}

function signalProgram(program: string, signal: NodeJS.Signals, { tree }: Invocation, which: number): Done {
  const found = tree.living(program);
  const chosen = which < 0.5 ? found : found.slice(-1);
  for (const { pid } of chosen) tryKill(pid, signal);
  return {
    hit: chosen.length > 0,
    what: `${signal} of ${chosen.length} ${program}`,
    heal: () => {
      for (const { pid } of chosen) tryKill(pid, "SIGCONT");
      return Promise.resolve();
    },
  };
}

async function troubleStore({ name, bytes, which }: DrawnFault, place: Workplace): Promise<Done> {
  const proxies = place.stores.flatMap(({ proxy }) => (proxy === undefined ? [] : [proxy]));
  return trouble(pick(proxies, which), troubleOf(name, bytes, which));
}

async function trouble(proxy: Workplace["database"], what: Trouble): Promise<Done> {
  await proxy.strike(what);
  return { hit: true, what: JSON.stringify(what), heal: () => proxy.heal() };
}

function troubleOf(name: FaultName, bytes: number, which: number): Trouble {
  const verb = name.split(" ").slice(1).join(" ");
  switch (verb) {
    case "refuses":
      return { kind: "refuse" };
    case "cuts":
      return { kind: "cut", after: bytes };
    case "slow":
      return { kind: "slow", bytesPerSecond: 100_000 + Math.floor(which * 3e6) };
    case "hangs":
      return { kind: "hang", after: bytes };
    case "answers 500":
      return { kind: "status", status: which < 0.7 ? 500 : 503 };
    case "flips a bit up":
      return { kind: "flip", direction: "up", after: bytes };
    case "flips a bit down":
      return { kind: "flip", direction: "down", after: bytes };
    default:
      throw new RangeError(`there is no trouble ${verb}`);
  }
}

function fill(place: Workplace, disk: string, free: number): Done {
  const hit = place.shrink(disk, free);
  return {
    hit,
    what: hit ? `${disk} has ${free} bytes left` : `${disk} filled faster than it shrank`,
    heal: () => {
      place.enlarge(disk);
      return Promise.resolve();
    },
  };
}

/** Other people's statements, one after the other, for as long as the command works. */
function changeSchema({ world: { postgres }, shape }: Workplace, over: AbortSignal): Done {
  const statements = `
    CREATE TABLE churn_a (x int PRIMARY KEY); INSERT INTO churn_a SELECT generate_series(1, 500);
    ALTER TABLE churn_a ADD y text DEFAULT 'y'; CREATE INDEX ON churn_a (y); CREATE VIEW churn_v AS SELECT x FROM churn_a;
    DROP VIEW churn_v; ALTER TABLE churn_a RENAME TO churn_b; CREATE SCHEMA churn; CREATE TABLE churn.c AS SELECT * FROM churn_b;
    DROP SCHEMA churn CASCADE; DROP TABLE churn_b; ANALYZE shop.orders;`;
  const clean = "DROP SCHEMA IF EXISTS churn CASCADE; DROP TABLE IF EXISTS churn_a, churn_b CASCADE;";
  const working = (async () => {
    while (!over.aborted) await postgres.sql(shape.source, statements).catch(() => postgres.sql(shape.source, clean));
    await postgres.sql(shape.source, clean);
  })().catch(() => undefined);
  return { hit: true, what: "tables came and went", heal: () => working };
}

function lockTable({ world, shape }: Workplace, over: AbortSignal, which: number): Done {
  // Up to twice as long as the job waits for it.
  const seconds = which * 2 * patienceOf(world).stallTimeoutSeconds;
  const { postgres } = world;
  const locked = postgres
    .sql(shape.source, `BEGIN; LOCK TABLE shop.orders IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(${seconds}); COMMIT;`)
    .catch(() => undefined);
  const end = async () => {
    if (over.aborted)
      await postgres.sql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid();",
      );
    await locked;
  };
  return { hit: true, what: `a table was locked for ${seconds.toFixed(1)} s`, heal: end };
}

function pick<T>(values: readonly T[], which: number): T {
  const value = values[Math.floor(which * 7919) % values.length];
  if (value === undefined) throw new RangeError("there is nothing to choose from");
  return value;
}

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}
