import { createHash } from "node:crypto";
import { Random } from "../../helpers/random.ts";
import type { Source } from "./servers/sources.ts";

export const STORES = ["filesystem", "s3", "dropbox", "google-drive", "supabase"] as const;
export type StoreKind = (typeof STORES)[number];

/** What a run's job is like. */
export interface JobShape {
  readonly stores: readonly StoreKind[];
  readonly encrypted: boolean;
  /** How the database is dumped: as one stream, by workers into a folder, or several databases. */
  readonly dump: "stream" | "directory" | "several";
  readonly source: Source;
  /** Files of a Supabase project beside the database. */
  readonly files: boolean;
  /** `retention.last`; undefined for a job without a retention rule. */
  readonly keep: number | undefined;
  readonly webhook: boolean;
  /** Whether manifests and records are signed. */
  readonly signed: boolean;
  /** Whether drills start a server of their own. */
  readonly ownServer: boolean;
}

export const COMMANDS = ["backup", "verify", "list", "restore", "drill", "prune", "copy"] as const;
export type CommandName = (typeof COMMANDS)[number];

/** When a fault strikes: so long after the start, or after a program was seen, or after a line of the log. */
export interface Moment {
  readonly after:
    "start" | "pg_dump" | "pg_restore" | "connect: done" | "store: done" | "commit: done" | "verify: done";
  /** How much later, 0 to 1 of what a backup usually still takes from there on. */
  readonly plus: number;
}

/** One fault. Where there are several things it could strike, `which` (0 to 1) chooses. */
export interface DrawnFault {
  readonly name: FaultName;
  readonly moment: Moment;
  /** Milliseconds until it is over by itself; undefined: it lasts until the command has ended. */
  readonly lasts: number | undefined;
  readonly which: number;
  /** A number of bytes, for those that count them. */
  readonly bytes: number;
}

/** All that a run is made from. */
export interface Scenario {
  readonly job: JobShape;
  /** Backups that are made before, without a fault. */
  readonly before: number;
  /** The command that the fault strikes. */
  readonly command: CommandName;
  readonly parallelRestore: boolean;
  readonly fault: DrawnFault;
  /** A command after it, without a fault, whose answer is compared with what is true. */
  readonly after: CommandName | undefined;
  /** Whether good backups are also restored by hand and compared row by row. */
  readonly deep: boolean;
}

/** Each fault with how often it is drawn, and the commands that it makes sense for (default: all). */
const FAULTS = {
  none: [3],
  "runner SIGKILL": [8],
  "runner SIGTERM": [8],
  "runner SIGINT": [2],
  "runner SIGSTOP": [4],
  "pg_dump SIGKILL": [4, ["backup"]],
  "pg_dump SIGTERM": [2, ["backup"]],
  "pg_dump SIGSTOP": [2, ["backup"]],
  "pg_restore SIGKILL": [4, ["backup", "verify", "restore", "drill"]],
  "pg_restore SIGSTOP": [2, ["backup", "verify", "restore", "drill"]],
  "backends terminated": [4, ["backup", "restore", "drill"]],
  "server killed": [4, ["backup", "restore", "drill"]],
  "store killed": [5],
  "disk full": [5, ["backup", "copy", "verify", "drill"]],
  "scratch full": [3, ["backup", "restore"]],
  "store refuses": [5],
  "store cuts": [6],
  "store slow": [3],
  "store hangs": [6],
  "store answers 500": [6],
  "store flips a bit up": [4, ["backup", "copy"]],
  "store flips a bit down": [5],
  "database refuses": [3, ["backup", "restore", "drill"]],
  "database cuts": [4, ["backup", "restore", "drill"]],
  "database slow": [2, ["backup", "restore"]],
  "database hangs": [4, ["backup"]],
  "monitor hangs": [2, ["backup", "drill"]],
  "clock ahead": [5, ["backup", "verify", "prune"]],
  "clock behind": [5, ["backup", "verify", "prune"]],
  "two runs": [5, ["backup", "prune", "verify", "drill"]],
  "schema changes": [4, ["backup"]],
  "table locked": [4, ["backup"]],
  "object removed": [5],
  "object damaged": [6],
  "manifest damaged": [3],
  "hostile folder": [6, ["backup", "list", "verify", "prune", "restore"]],
  "time limit": [0.3, ["backup"]],
  "forged archive": [40, ["restore", "drill", "verify"]],
  "forged manifest": [14, ["backup", "list", "verify", "prune", "restore", "drill"]],
  "old manifest": [6, ["backup", "list", "verify", "prune", "restore", "drill"]],
  "forged record": [8, ["backup", "list", "verify", "prune", "restore", "drill"]],
  "odd settings": [7, ["backup", "restore", "drill"]],
  "shadowing functions": [6, ["backup", "restore", "drill"]],
  "table owner": [60, ["drill"]],
  "two hosts": [40, ["backup"]],
  "hold during prune": [200, ["prune"]],
} as const satisfies Record<string, readonly [number, (readonly CommandName[])?]>;

/** Without a key nothing tells what is forged. */
const NEEDS_KEY: readonly string[] = ["forged manifest", "old manifest", "forged record"];

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

/** Whether somebody of `hands/` does it, beside the command. */
export function isHand(name: FaultName): boolean {
  return /^(forged|old|odd|shadowing|table owner|two hosts|hold)/.test(name);
}

/** What the machine cannot do, so that it is not drawn. */
export interface Missing {
  readonly stores: readonly StoreKind[];
  readonly faults: readonly FaultName[];
}

/** The seed of one run among those of a seed. */
export function seedOf(seed: number, run: number): number {
  return createHash("sha256").update(`${seed}/${run}`).digest().readUInt32BE(0);
}

/** What alone is to be drawn; undefined for everything. */
export interface Wanted {
  /** A part of the fault's name. */
  readonly fault: string | undefined;
  readonly command: string | undefined;
  readonly store: string | undefined;
}

/** How often is drawn before it counts as impossible. */
const TRIES = 100_000;

/** Draws a run. The same seed gives the same run; what is missing or not wanted is drawn again. */
export function draw(seed: number, missing: Missing, wanted: Wanted): Scenario {
  const random = new Random(seed);
  for (let tries = 0; tries < TRIES; tries += 1) {
    const scenario = drawAny(random);
    if (!scenario.fault.name.includes(wanted.fault ?? "")) continue;
    if (wanted.command !== undefined && scenario.command !== wanted.command) continue;
    if (wanted.store !== undefined && !scenario.job.stores.some((kind) => kind === wanted.store)) continue;
    if (missing.faults.includes(scenario.fault.name)) continue;
    if (scenario.job.stores.some((kind) => missing.stores.includes(kind))) continue;
    if (makesSense(scenario)) return scenario;
  }
  throw new Error("No run fits --fault, --command and --store on this machine.");
}

function drawAny(random: Random): Scenario {
  const chance = (probability: number) => random.next() < probability;
  const weighted = <T>(weights: readonly (readonly [T, number])[]): T => {
    let left = random.next() * weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [value, weight] of weights) if ((left -= weight) < 0) return value;
    return (weights.at(-1) ?? weights[0])?.[0] as T;
  };
  const store = () =>
    weighted<StoreKind>([
      ["filesystem", 45],
      ["s3", 35],
      ["dropbox", 6],
      ["google-drive", 7],
      ["supabase", 7],
    ]);
  const command = weighted<CommandName>([
    ["backup", 62],
    ["verify", 8],
    ["list", 3],
    ["restore", 10],
    ["drill", 7],
    ["prune", 5],
    ["copy", 5],
  ]);
  const source: Source = weighted([
    ["small", 78],
    ["large", 15],
    ["poisoned", 7],
  ]);
  const job: Omit<JobShape, "signed" | "ownServer"> = {
    stores: chance(0.4) || command === "copy" ? [store(), store()] : [store()],
    encrypted: chance(0.5),
    dump: weighted([
      ["stream", 68],
      ["directory", 17],
      ["several", 15],
    ]),
    source,
    files: chance(0.15),
    keep: weighted([
      [1, 4],
      [2, 3],
      [3, 1],
      [undefined, 2],
    ]),
    webhook: chance(0.7),
  };
  const name = weighted(FAULT_NAMES.map((each) => [each, FAULTS[each][0]] as const));
  const moment: Moment = {
    after: weighted([
      ["start", 5],
      ["pg_dump", 4],
      ["pg_restore", 2],
      ["connect: done", 1],
      ["store: done", 1],
      ["commit: done", 2],
      ["verify: done", 1],
    ]),
    plus: random.next() ** 2,
  };
  const fault: DrawnFault = {
    name,
    moment,
    // A runner that is stopped for good can keep no promise.
    lasts: chance(0.5) || name === "runner SIGSTOP" ? 200 + random.below(3_000) : undefined,
    which: random.next(),
    bytes: Math.floor(random.next() ** 3 * (source === "large" ? 30e6 : 500e3)),
  };
  const drawn = {
    job,
    before: weighted([
      [0, command === "backup" ? 3 : 0],
      [1, 4],
      [2, 2],
    ]),
    command,
    parallelRestore: chance(0.35),
    fault,
    after: chance(0.4) ? random.pick(["verify", "list", "restore", "prune"] as const) : undefined,
    deep: chance(0.35),
  } satisfies Omit<Scenario, "job"> & { job: Omit<JobShape, "signed" | "ownServer"> };
  // Drawn last, so that they change nothing else of a seed's run.
  const [signed, ownServer] = [chance(0.4), chance(0.5)];
  const forced = {
    signed: signed || NEEDS_KEY.includes(name),
    ownServer: ownServer || name === "table owner",
    keep: name === "hold during prune" ? 1 : job.keep,
  };
  return { ...drawn, deep: drawn.deep || name === "odd settings", job: { ...job, ...forced } };
}

/** Where a moment would never come, or a fault could not strike, nothing would be tested. */
function makesSense({ command, fault, job, before }: Scenario): boolean {
  const { name, moment } = fault;
  const commands: readonly CommandName[] | undefined = FAULTS[name][1];
  if (commands?.includes(command) === false) return false;
  if (name.startsWith("store ") && job.stores.every((kind) => kind === "filesystem")) return false;
  if (name === "store killed" && !job.stores.includes("s3")) return false;
  if (name === "disk full" && !job.stores.includes("filesystem")) return false;
  if (name === "scratch full" && command === "backup" && job.dump !== "directory") return false;
  if (name === "monitor hangs" && !job.webhook) return false;
  if (job.files && job.dump === "several") return false;
  // Requests to such services are redirected, and both would be to one.
  const [first, second] = job.stores;
  if (first === second && first !== "filesystem" && first !== "s3") return false;
  if (name === "hostile folder" && before === 0) return false;
  if (name === "hostile folder" && job.stores.some((kind) => kind !== "filesystem" && kind !== "s3")) return false;
  const stored = ["store: done", "commit: done", "verify: done"].includes(moment.after);
  if (name === "two hosts") return before > 0 && job.dump !== "several" && job.source === "small" && stored;
  if (isHand(name)) return handMakesSense(name, command, job, before);
  if (command === "backup") return !(name.startsWith("pg_restore") && moment.after === "pg_dump");
  if (before === 0) return false;
  if (moment.after === "pg_restore") return command === "verify" || command === "restore" || command === "drill";
  return moment.after === "start";
}

function handMakesSense(name: FaultName, command: CommandName, job: JobShape, before: number): boolean {
  const early = name === "odd settings" || name === "shadowing functions";
  if (before === 0 && !(early && command === "backup")) return false;
  // These fail at its rows, or for their number, whatever else is done.
  if (job.source === "poisoned" || (command === "drill" && job.dump === "several")) return false;
  const folders = job.stores.every((kind) => kind === "filesystem" || kind === "s3");
  if (name === "hold during prune") return job.stores.length === 1 && folders && !job.files && job.source === "small";
  return folders || name === "forged archive" || early || name === "table owner";
}
