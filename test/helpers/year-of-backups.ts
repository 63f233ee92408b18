import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type {
  AnomalyRecord,
  DrillRecord,
  HoldRecord,
  VerificationRecord,
} from "../../runner/backups/documents/manifest.ts";
import { seal } from "../../runner/backups/documents/sealed-json.ts";
import type { SigningKeys } from "../../runner/backups/documents/signing.ts";
import { sampleManifest } from "./sample-manifest.ts";

/** One night of a {@link yearOfBackups}. */
export interface Night {
  /** In the time zone of the schedule. */
  readonly date: string;
  /** Undefined: the run was missed. */
  readonly id: string | undefined;
  readonly storedBytes: number;
  readonly seconds: number;
  readonly drill: "drilled" | "drill-failed" | undefined;
  readonly collapsed: boolean;
  readonly held: boolean;
}

/** A job's history, as two stores have it. */
export interface YearOfBackups {
  /** The oldest first. */
  readonly nights: readonly Night[];
  /** By their keys: what the first store has, and what the second. */
  readonly stores: readonly [Map<string, string>, Map<string, string>];
}

/** When it is run and in which time zone. */
export const SCHEDULE = { cron: "0 3 * * *", timezone: "Europe/Berlin" };

const [DAY_MS, HOUR_MS] = [86_400_000, 3_600_000];
const BACKUPS = 365;
/** Nights before today whose run was missed. */
const MISSED = [40, 41, 200];
/** The one whose backup had lost most of a table, the one that a person holds, and the drill that failed. */
const [COLLAPSED, HELD, FAILED] = [100, 150, 84];

/** What a person wrote, and what a table is called: texts that a page must not take for its own. */
export const HOLD_REASON = "case <b>4711</b> | *audit* & co";
export const LOST_TABLE = 'public.<script>alert("x")</script>';

/**
 * A plain year up to the night before a moment: 365 backups of 368 nights in two stores, a drill each week, 52 in all, of which one failed, a
 * collapse, a hold, and three missed nights.
 */
export function yearOfBackups(job: { stack: string; name: string }, now: Date, keys?: SigningKeys): YearOfBackups {
  const stores = [new Map<string, string>(), new Map<string, string>()] as const;
  const nights: Night[] = [];
  for (let ago = BACKUPS + MISSED.length; ago >= 1; ago -= 1) {
    const date = new Date(now.getTime() - ago * DAY_MS).toISOString().slice(0, 10);
    const missed = MISSED.includes(ago);
    const begun = new Date(Date.parse(`${date}T03:00:07Z`) - berlinHours(date) * HOUR_MS);
    const id = missed ? undefined : `${stamp(begun)}-${(ago + 0x100000).toString(16)}`;
    const collapsed = ago === COLLAPSED;
    const growth = 1 + (BACKUPS - ago) / BACKUPS + 0.04 * Math.sin(ago);
    const night: Night = {
      ...{ date, id, collapsed, held: ago === HELD },
      storedBytes: Math.round(1_200_000_000 * growth * (collapsed ? 0.2 : 1)),
      seconds: Math.round(300 * growth + 20 * Math.cos(ago * 3)),
      drill: missed || ago % 7 !== 0 || ago > 364 ? undefined : ago === FAILED ? "drill-failed" : "drilled",
    };
    nights.push(night);
    if (id === undefined) continue;
    for (const [index, store] of stores.entries()) {
      for (const [name, document] of documents(job, id, begun, night, index === 0)) {
        store.set(`${job.stack}/${job.name}/${id}/${name}`, seal(document, keys));
      }
      store.set(`${job.stack}/${job.name}/${id}/database.dump.zst.age`, "x");
    }
  }
  return { nights, stores };
}

/** Writes what a store has into a folder. */
export function writeStore(folder: string, store: ReadonlyMap<string, string>): void {
  for (const [key, text] of store) {
    const file = join(folder, key);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, text, { mode: 0o600 });
  }
}

/** Hours that Berlin is ahead of UTC at three o'clock, by the rule as it stands in the law. */
function berlinHours(date: string): number {
  const lastSunday = (month: number) => {
    const day = new Date(`${date.slice(0, 4)}-${String(month).padStart(2, "0")}-31T00:00:00Z`);
    day.setUTCDate(day.getUTCDate() - day.getUTCDay());
    return day.toISOString().slice(0, 10);
  };
  return date >= lastSunday(3) && date < lastSunday(10) ? 2 : 1;
}

function stamp(time: Date): string {
  return time.toISOString().replace(/[-:]|\.\d+/g, "");
}

type Document = readonly [name: string, document: object];

function documents(
  job: { stack: string; name: string },
  id: string,
  begun: Date,
  night: Night,
  first: boolean,
): Document[] {
  const after = (seconds: number) => new Date(begun.getTime() + seconds * 1000);
  const iso = (seconds: number) => after(seconds).toISOString();
  const name = (outcome: string, seconds: number) => `${outcome}-${stamp(after(seconds))}.json`;
  const common = { format: 1, id, program: "0.1.0" } as const;
  const sample = sampleManifest(id, job);
  const [object] = sample.objects;
  const manifest = {
    ...sample,
    startedAt: iso(0),
    finishedAt: iso(night.seconds),
    order: begun.getTime(),
    database: { ...sample.database, name: "app", snapshotTime: iso(1) },
    objects: object && [
      {
        ...object,
        file: "database.dump.zst.age",
        encryption: "age",
        stored: { ...object.stored, size: night.storedBytes },
        plain: { ...object.plain, size: night.storedBytes * 4 },
      },
    ],
    omitted: [{ artifact: "vault.sql", reason: "vault: export is not set." }],
  };
  const verified: VerificationRecord = {
    ...{ ...common, checkedAt: iso(night.seconds + 60), outcome: "verified", after: [], problems: [] },
  };
  const found: Document[] = [
    ["manifest.json", manifest],
    [name("verified", night.seconds + 60), verified],
  ];
  if (night.collapsed) {
    const anomaly: AnomalyRecord = {
      ...{ ...common, recordedAt: iso(night.seconds + 1), outcome: "suspicious", after: [] },
      anomalies: [
        { what: "rows", table: LOST_TABLE, usual: 40_000, now: 0 },
        { what: "storedBytes", usual: night.storedBytes * 5, now: night.storedBytes },
      ],
    };
    found.push([name("suspicious", night.seconds + 1), anomaly]);
  }
  if (night.held) {
    const hold: HoldRecord = {
      ...{ ...common, recordedAt: iso(DAY_MS / 1000), outcome: "held", after: [], reason: HOLD_REASON },
      until: "2099-12-31T23:59:59.000Z",
    };
    found.push([name("held", DAY_MS / 1000), hold]);
  }
  if (night.drill !== undefined && first) {
    const failed = night.drill === "drill-failed";
    const drill: DrillRecord = {
      ...{ ...common, drilledAt: iso(2 * 3600), outcome: night.drill, after: [], serverVersion: "17.4" },
      ...{ tables: 184, rows: 9_200_000 + Math.round(night.storedBytes / 1000) },
      checks: [
        { name: "orders", ok: !failed, seconds: 0.12 },
        { name: "newest plan", ok: true, seconds: 0.031 },
      ],
      seconds: { restore: night.seconds / 3, compare: 4.2, checks: 0.151 },
      recoveryTime: { seconds: night.seconds / 3, objectiveSeconds: 1800, met: true },
      problems: failed ? ["The check orders got another answer than it must."] : [],
    };
    found.push([name(night.drill, 2 * 3600), drill]);
  }
  return found;
}
