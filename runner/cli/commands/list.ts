import type { Command } from "commander";
import { ProviderError } from "../../../providers/errors.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type {
  BackupFolder,
  BackupState,
  DrillOutcome,
  JobName,
  Unusual,
} from "../../backups/catalogue/backup-folder.ts";
import { listWhole, readManifest } from "../../backups/catalogue/catalogue.ts";
import { activeHolds, describeKept, isRuled, keptBy, type Kept } from "../../backups/catalogue/retention.ts";
import { runCommand, type JobOptions } from "../command.ts";
import type { Display } from "../../run/display.ts";
import { EXIT } from "../../run/exit-codes.ts";
import { describeFuture, fromFuture } from "../../backups/catalogue/future.ts";
import type { Manifest } from "../../backups/documents/manifest.ts";
import { unusable } from "../../backups/documents/record-reader.ts";
import { describeLease, findLease, type FoundLease } from "../../backups/lease-objects.ts";
import { describePoint, recoveryPoint } from "../../backups/objectives.ts";
import type { Run } from "../../run/run.ts";
import { bytes, counted } from "../../../providers/fields/sizes.ts";
import { describeFailed, destinationOption, inDestinations, type DestinationOptions } from "./destination.ts";
import { examples } from "./examples.ts";

interface Options extends JobOptions, DestinationOptions {
  readonly contents: boolean;
}

/** What is in a backup, part by part, and what is not. */
interface Contents {
  readonly parts: readonly { readonly name: string; readonly covers: readonly string[] }[];
  readonly omitted: Manifest["omitted"];
}

/** Adds `provision list`. */
export function addList(program: Command): void {
  program
    .command("list")
    .summary("list the job's backups")
    .addHelpText(
      "before",
      examples(
        "provision list --job app.json",
        "provision list --job app.json --contents",
        "provision list --job app.json --json",
      ),
    )
    .description(
      "Lists the job's backups in each destination, the oldest first: verified (its newest verification read it in full), " +
        "unverified, damaged, or unreadable (of a newer version); and when its newest drill restored it, or failed to. A folder without " +
        "a manifest is no backup and is not listed; one with the manifest of another backup is listed as foreign, and one whose signature " +
        "is missing or wrong as unproven: neither counts as a backup of this job. Says too if a run has the job's lease there.",
    )
    .argument("[id]", "only this backup")
    .option("--contents", "tell what each backup covers, part by part, and what is in none of its parts", false)
    .addOption(destinationOption())
    .action((only: string | undefined, _: unknown, command: Command) => {
      const options: Options = command.optsWithGlobals();
      return runCommand(options, EXIT.unexpected, async (run, display) => {
        const existing = new Set<string>();
        const { results, failed } = await inDestinations(run, options, async (storage) => {
          const backups: Listed[] = [];
          const all = await listWhole(storage, run.job, run.signal);
          const { retention, schedule } = run.job;
          const keeps = retention && keptBy(all, retention, { timeZone: schedule?.timezone ?? "UTC" });
          for (const backup of all) {
            const { id, time, state, signed, drill, size, unusual } = backup;
            const holds = holdsOf(backup);
            const refused = backup.foreign ?? backup.unproven;
            existing.add(id);
            if (only !== undefined && id !== only) continue;
            const drilled = drill ? { outcome: drill.outcome, time: drill.time.toISOString() } : null;
            const warnings = [...backup.warnings, ...fromFuture([backup]).map((each) => describeFuture(each))];
            const listed = {
              ...{ id, time: time.toISOString(), state, size, drill: drilled },
              ...(signed !== undefined && { signed }),
              ...(holds.length > 0 && { held: holds[0], holds }),
              ...(unusual && { unusual }),
              ...(keeps && isRuled(backup) && { kept: keeps.get(backup) ?? null }),
              ...(refused && { problem: refused.message, fix: refused.fix }),
              ...(warnings.length > 0 && { warnings }),
            };
            backups.push(options.contents ? { ...listed, ...(await contentsOf(run, storage, id)) } : listed);
          }
          const point = recoveryPoint(run.job.objectives, all);
          const lease = await findLease(storage, run.job, run.signal);
          return {
            destination: storage.description,
            backups,
            ...(point && { recoveryPoint: point }),
            ...(lease && { lease: listedLease(lease) }),
          };
        });
        if (only !== undefined && failed.length === 0 && !existing.has(only)) {
          throw noSuchBackup(run.job, only, [...existing].sort());
        }
        return {
          json: [...results, ...failed],
          lines: [
            ...results.flatMap(({ destination, backups, recoveryPoint: point, lease }) => [
              `${destination}: ${counted(backups.length, "backup")}`,
              ...(lease ? [`  lease: ${describeLease(lease)}`] : []),
              ...(point ? [`  ${describePoint(point)}`] : []),
              ...describe(backups, display),
            ]),
            ...describeFailed(failed),
          ],
          exitCode: failed.length > 0 ? EXIT.partial : EXIT.done,
        };
      });
    });
}

/** How many of the newest backups a message names. */
const NAMED = 5;

function noSuchBackup({ stack, name }: JobName, id: string, existing: readonly string[]): ProviderError {
  const newest = existing.slice(-NAMED).reverse().join(", ");
  const are = existing.length > NAMED ? `the newest of them ${newest}` : newest;
  return new ProviderError("NOT_FOUND", `There is no backup "${id}" of ${stack}/${name}.`, {
    fix:
      existing.length === 0
        ? "There is none of this job at all: check the job's stack, name and destinations."
        : `Name one of those that there are: ${existing.length}, ${are}.`,
  });
}

/** The lease that a run has, as `--json` prints it. */
function listedLease({ error, ...lease }: FoundLease) {
  return { ...lease, ...(error && { error: { code: error.code, message: error.message } }) };
}

/** A hold on a backup. */
interface Held {
  /** What \`provision release --hold\` takes. */
  readonly id: string;
  readonly reason: string;
  /** False where it has ended by itself. */
  readonly active: boolean;
  /** Null where its record cannot be read. */
  readonly since: string | null;
  /** Null: until it is released. */
  readonly until: string | null;
}

interface Listed {
  readonly id: string;
  readonly time: string;
  readonly state: BackupState;
  readonly size: number;
  readonly drill: { readonly outcome: DrillOutcome["outcome"]; readonly time: string } | null;
  /** Left out where the job has no keys. */
  readonly signed?: boolean;
  /** What is far from usual for the job. Left out where nothing is. */
  readonly unusual?: Unusual;
  /** The hold that lasts longest, and all of them. Left out where nobody holds it. */
  readonly held?: Held | undefined;
  readonly holds?: readonly Held[];
  /** Why the retention rule keeps it, and until when; null where it goes. Left out where no rule decides. */
  readonly kept?: Kept | null;
  /** Why it is foreign or unproven, and what to do about it. */
  readonly problem?: string;
  readonly fix?: string | undefined;
  /** What is from the future, and what counts for nothing and why, one sentence each. */
  readonly warnings?: readonly string[];
  readonly contents?: Contents;
}

/** Nothing where the manifest cannot be read, which the warnings tell. */
async function contentsOf(
  { job, signal }: Run,
  storage: StorageProvider,
  id: string,
): Promise<{ readonly contents?: Contents }> {
  try {
    const { objects, omitted } = await readManifest(storage, job, id, signal);
    // Backups of version 0.1.0 do not say what their parts cover.
    return { contents: { parts: objects.map(({ artifact, covers = [] }) => ({ name: artifact, covers })), omitted } };
  } catch (error) {
    unusable(error);
    return {};
  }
}

/** The columns that are never shortened: what a person copies, and the facts. */
const WHOLE_COLUMNS = 4;

function describe(backups: readonly Listed[], display: Display): string[] {
  const rows = display.table(
    backups.map((backup) => rowOf(backup, display)),
    WHOLE_COLUMNS,
  );
  return backups.flatMap((backup, index) => [rows[index] ?? "", ...detailsOf(backup, display)]);
}

function rowOf({ id, time, state, size, drill, signed, unusual }: Listed, display: Display): string[] {
  return [
    `  ${id}`,
    display.fromNow(new Date(time)) ?? "",
    (unusual?.suspicious === true ? "suspicious" : state).padEnd(10),
    bytes(size).padStart(8),
    drill ? describeDrill(drill, display) : "",
    signed === false ? "unsigned: older than the key" : "",
  ];
}

function detailsOf(
  { problem, fix, holds = [], unusual, kept, warnings = [], contents }: Listed,
  display: Display,
): string[] {
  return [
    ...(unusual?.findings ?? []).map((finding) => `    ${finding}`),
    ...(unusual?.accepted === undefined ? [] : [`    accepted: ${unusual.accepted}`]),
    ...holds.map((hold) => `    ${describeHeld(hold, display)}`),
    ...(kept === undefined
      ? []
      : [`    ${kept === null ? "not kept by the retention rule" : `kept: ${describeKept(kept, display.day)}`}`]),
    ...(problem === undefined ? [] : [`    ${problem}`, `    Fix: ${fix ?? ""}`]),
    ...warnings.map((warning) => `    warning: ${warning}`),
    ...(contents?.parts ?? []).flatMap(({ name, covers }) => [`    ${name}`, ...covers.map((what) => `      ${what}`)]),
    ...(contents?.omitted ?? []).map(({ artifact, reason }) => `    NOT in this backup: ${artifact}. ${reason}`),
  ];
}

function holdsOf(backup: BackupFolder): Held[] {
  const active = activeHolds(backup);
  return (backup.holds ?? []).map((hold) => ({
    ...{ id: hold.id, reason: hold.reason, active: active.includes(hold) },
    ...{ since: hold.since?.toISOString() ?? null, until: hold.until?.toISOString() ?? null },
  }));
}

function describeHeld({ id, reason, active, since, until }: Held, { day }: Display): string {
  const from = since === null ? "" : ` since ${day(since.slice(0, 10))}`;
  const to = until === null ? "" : ` until ${day(until.slice(0, 10))}`;
  return `${active ? "held" : "was held"}${from}${to}: ${reason} (${id})`;
}

function describeDrill({ outcome, time }: NonNullable<Listed["drill"]>, display: Display): string {
  const when = display.fromNow(new Date(time)) ?? time.slice(0, 10);
  return `${outcome === "drilled" ? "drilled" : "DRILL FAILED"} ${when}`;
}
