import { bytes, counted } from "../../../../providers/fields/sizes.ts";
import type { BackupReport, DrillReport, JobReport } from "../report.ts";
import { describeChecks, describeCopy, describeSteps, minuteOf, nameOf, took } from "../words.ts";
import { html, when, type Markup } from "./markup.ts";

/** Drills that are shown at once; the others are folded. */
const FIRST = 12;

function table(label: string, head: readonly Markup[], rows: readonly Markup[]): Markup {
  return html`<div class="scroll" role="region" aria-label="${label}" tabindex="0">
    <table>
      <thead>
        <tr>
          ${head}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}

const column = (name: string) => html`<th scope="col">${name}</th>`;
const numbers = (name: string) => html`<th scope="col" class="number">${name}</th>`;

/** The ledger of drills. */
export function drillsOf(job: JobReport): Markup {
  const { drills } = job;
  if (drills.length === 0)
    return html`<p>No drill has been recorded: nothing proves that a backup can be restored.</p>`;
  const ledger = (some: readonly DrillReport[], label: string) =>
    table(
      `${label} of ${nameOf(job)}`,
      [column("Done"), column("Outcome"), column("Backup"), column("Compared"), column("Steps"), column("Checks")],
      some.map((drill) => drillRow(drill, job.timeZone)),
    );
  const rest = drills.slice(FIRST);
  return html`${ledger(drills.slice(0, FIRST), "Newest drills")}
  ${when(
    rest.length > 0,
    () =>
      html`<details>
        <summary>${counted(rest.length, "earlier drill")}</summary>
        ${ledger(rest, "Earlier drills")}
      </details>`,
  )}`;
}

function drillRow(drill: DrillReport, timeZone: string): Markup {
  const { time, ok, id, serverVersion, tables, rows, problems, more, recoveryTime } = drill;
  const late = recoveryTime?.met === false;
  const checks = describeChecks(drill);
  return html`<tr>
    <td class="nowrap">${minuteOf(time, timeZone)}</td>
    <td>
      <strong class="${ok ? (late ? "warn" : "good") : "bad"}"
        >${ok ? (late ? "restored, too slow" : "restored") : "FAILED"}</strong
      >${problems.map((problem) => html`<br />${problem}`)}${when(more > 0, () => html`<br />And ${more} more.`)}
    </td>
    <td class="nowrap">${id}<br /><span class="soft">on PostgreSQL ${serverVersion}</span></td>
    <td class="nowrap">${linesOf([counted(tables, "table"), counted(rows, "row")])}</td>
    <td class="nowrap">${linesOf(describeSteps(drill))}</td>
    <td class="wide">${checks.length === 0 ? "none" : linesOf(checks)}</td>
  </tr> `;
}

function linesOf(texts: readonly string[]): Markup[] {
  return texts.map((text, index) => html`${when(index > 0, () => html`<br />`)}${text}`);
}

/** The destinations, what is notable in them, and all backups with what keeps them. */
export function copiesOf(job: JobReport): Markup {
  const { destinations, backups, recoverable, timeZone } = job;
  const day = (value: string | null) => (value === null ? "–" : minuteOf(value, timeZone).slice(0, 10));
  const notable = backups.filter(
    ({ id, suspicious, copies }) =>
      id === recoverable?.id || suspicious || copies.some(({ hold, state }) => hold !== null || state === "damaged"),
  );
  const all = (some: readonly BackupReport[], label: string) =>
    table(
      `${label} of ${nameOf(job)}`,
      [
        column("Begun"),
        numbers("Stored"),
        numbers("Plain"),
        numbers("Took"),
        ...destinations.map(({ number }) => column(`In destination ${number}`)),
      ],
      [...some].reverse().map((backup) => backupRow(backup, job)),
    );
  return html`${table(
    `Destinations of ${nameOf(job)}`,
    [
      column("Destination"),
      ...["Backups", "Verified", "Held", "Suspicious", "Damaged", "Size"].map(numbers),
      ...["Oldest", "Newest", "Recoverable to"].map(column),
    ],
    destinations.map(
      (each) =>
        html`<tr>
          <td class="wide">
            ${each.number}:
            ${each.description}${when(each.problem !== null, () => html`<br /><strong class="bad">not read: ${each.problem ?? ""}</strong>`)}
          </td>
          ${[each.backups, each.verified, each.held, each.suspicious, each.damaged].map((count) => html`<td class="number">${count}</td>`)}
          <td class="number">${bytes(each.bytes)}</td>
          ${[each.oldest, each.newest, each.recoverable].map((value) => html`<td class="nowrap">${day(value)}</td>`)}
        </tr>`,
    ),
  )}
  ${when(
    notable.length > 0,
    () =>
      html`<p>The newest to recover to, and what is held, suspicious or damaged:</p>
        ${all(notable, "Notable backups")}`,
  )}
  ${when(
    backups.length > 0,
    () =>
      html`<details>
        <summary>
          ${backups.length === 1 ? "The only backup" : `All ${counted(backups.length, "backup")}`}, and why each is kept
        </summary>
        ${all(backups, "Backups")}
      </details>`,
  )}`;
}

function backupRow(backup: BackupReport, { destinations, timeZone }: JobReport): Markup {
  const { id, time, storedBytes, plainBytes, seconds, copies, suspicious } = backup;
  return html`<tr>
    <td class="nowrap">${minuteOf(time, timeZone)}<br /><span class="soft">${id}</span></td>
    <td class="number">${storedBytes === null ? "–" : bytes(storedBytes)}</td>
    <td class="number">${plainBytes === null ? "–" : bytes(plainBytes)}</td>
    <td class="number">${seconds === null ? "–" : took(seconds)}</td>
    ${destinations.map(({ number }) => {
      const copy = copies.find(({ destination }) => destination === number);
      return html`<td class="wide">${copy ? describeCopy(copy, suspicious, timeZone) : "–"}</td>`;
    })}
  </tr> `;
}
