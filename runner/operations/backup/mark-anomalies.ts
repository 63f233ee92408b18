import { ProviderError, toProviderError, withFix } from "../../../providers/errors.ts";
import { ANOMALY } from "../../../providers/layout.ts";
import type { TableRows } from "../../../providers/database/database.ts";
import {
  anomaliesOf,
  describeAnomaly,
  figuresOf,
  History,
  isCollapse,
  isDoubtful,
  rowsOf,
  type Anomaly,
} from "../../backups/anomaly.ts";
import { recordsBeside, readManifest } from "../../backups/catalogue/catalogue.ts";
import type { AnomalyRecord, Manifest } from "../../backups/documents/manifest.ts";
import { writeRecord } from "../../backups/documents/write-record.ts";
import { PROGRAM } from "../../version.ts";
import { live, warn, type Live } from "./destination.ts";
import { verifies, type RunState } from "./state.ts";

/** What is far from usual where a job does not say. */
const FACTOR = 3;

/** Anomalies that are reported one by one: a schema that is dropped may have had thousands of tables. */
const REPORTED = 20;

/**
 * Compares the new backup with the job's last ones, warns of what is far from usual, and records it beside the backup before
 * anything is pruned: a backup that has lost something takes the place of none. Where estimates say that a table has lost rows, or know
 * nothing of one that usually has some, the verification counts them first.
 *
 * @param manifest the new backup's
 */
export async function markAnomalies(state: RunState, manifest: Manifest): Promise<void> {
  const { anomalies } = state.run.job;
  if (anomalies === "off") return;
  const tables = new Set(manifest.database.tables.map(({ schema, name }) => `${schema}.${name}`));
  const before = await historyOf(state);
  const figures = figuresOf(manifest);
  const decide = async (counted?: readonly TableRows[]): Promise<void> => {
    const rows = counted
      ? rowsOf(counted.map(({ rows, ...table }) => ({ ...table, estimatedRows: rows })))
      : figures.rows;
    await mark(state, manifest, anomaliesOf({ ...figures, rows }, tables, before, anomalies?.factor ?? FACTOR));
  };
  const found = anomaliesOf(figures, tables, before, anomalies?.factor ?? FACTOR);
  if (verifies(state) && isDoubtful(found, figures, tables, before)) state.decide = decide;
  else await decide();
}

async function mark(state: RunState, manifest: Manifest, found: Anomaly[]): Promise<void> {
  const { trace } = state;
  if (found.length === 0) return;
  // What may be lost comes first.
  const sorted = found.sort((a, b) => Number(isCollapse(b)) - Number(isCollapse(a)));
  state.anomalies = sorted;
  const warning = warningOf(manifest.id, sorted);
  state.warnings.push(withFix(warning));
  trace.warn(withFix(warning));
  trace.track(warning);
  for (const destination of live(state.destinations)) await record(state, destination, manifest.id, sorted);
}

/** The figures of the job's last backups. One that cannot be read any more is passed over; a store that is away ends no run. */
async function historyOf({ run: { job, signal }, earlier, trace }: RunState): Promise<History> {
  const history = new History();
  if (earlier === undefined) return history;
  for (const id of earlier.ids) {
    try {
      history.add(figuresOf(await readManifest(earlier.storage, job, id, signal)));
    } catch (error) {
      if (signal.aborted) throw error;
      const { code, message } = toProviderError(error);
      if (code === "NOT_FOUND" || code === "INTEGRITY") continue;
      trace.warn(`This backup is not compared with the last ones: ${message}`);
      return new History();
    }
  }
  return history;
}

function warningOf(id: string, found: readonly Anomaly[]): ProviderError {
  const shown = found.slice(0, REPORTED).map(describeAnomaly);
  const more = found.length > REPORTED ? ` And ${found.length - REPORTED} more.` : "";
  const fix = found.some(isCollapse)
    ? `No earlier backup is pruned for this one. If it is right: provision accept ${id} --reason "…". If not, check the database; ` +
      "`provision list` shows the backups from before."
    : "If this was meant, do nothing: after some runs the new figures count as usual.";
  return new ProviderError("INTEGRITY", `This backup is not like the last ones. ${shown.join(" ")}${more}`, { fix });
}

async function record(state: RunState, destination: Live, id: string, found: readonly Anomaly[]): Promise<void> {
  const { job, signal } = state.run;
  const { storage } = destination;
  try {
    const outcome = found.some(isCollapse) ? ANOMALY.bad : ANOMALY.good;
    const after = await recordsBeside(storage, job, id, signal);
    await writeRecord({ storage, job, id, signal }, (at): AnomalyRecord => ({
      format: 1,
      id,
      program: PROGRAM,
      recordedAt: at.toISOString(),
      outcome,
      after,
      anomalies: [...found],
    }));
  } catch (error) {
    if (signal.aborted) throw error;
    warn(state.trace, destination, toProviderError(error));
  }
}
