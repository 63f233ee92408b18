import { bytes, counted } from "../../../../providers/fields/sizes.ts";
import { readable } from "../../../backups/objectives.ts";
import type { BackupReport, JobReport, Objective, Report } from "../report.ts";
import { describeYear, minuteOf, nameOf, took, when as at } from "../words.ts";
import { chart, clockStep, decimalStep, type Point } from "./chart.ts";
import { html, Markup, when } from "./markup.ts";
import { copiesOf, drillsOf } from "./tables.ts";
import { STYLE } from "./style.ts";
import { yearOf } from "./year.ts";

/** A report as a page that needs nothing else: no script, no font, no image and no request. */
export function toHtml(report: Report): string {
  const { jobs, headline, madeAt, program } = report;
  const names = jobs.map(nameOf).join(", ");
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        />
        <title>Backups of ${names}, ${madeAt.slice(0, 10)}</title>
        <style>
          ${new Markup(STYLE)}
        </style>
      </head>
      <body>
        <header>
          <h1>${headline}</h1>
          <p class="soft">
            Backups of ${names}. Made ${at(madeAt, "UTC")} by Provision ${program}, from the manifests and records in
            the stores alone.
          </p>
        </header>
        ${when(
          jobs.length > 1,
          () =>
            html`<nav aria-label="Jobs">
              <ul>
                ${jobs.map((job, index) => html`<li><a href="#job-${index}">${nameOf(job)}</a>: ${job.headline}</li>`)}
              </ul>
            </nav>`,
        )}
        <main>${jobs.map((job, index) => jobOf(job, index, jobs.length === 1))}</main>
        <footer>
          <p class="soft">
            Sizes are in decimal units. Times are those of each job's time zone, where no other is named.
          </p>
        </footer>
      </body>
    </html> `.text;
}

function jobOf(job: JobReport, index: number, only: boolean): Markup {
  const { schedule, timeZone, warnings, omitted, restore } = job;
  return html`<section aria-labelledby="job-${index}">
    <h2 id="job-${index}">${nameOf(job)}</h2>
    ${when(!only, () => html`<p>${job.headline}</p>`)}
    <p class="soft">
      ${schedule ? `Runs at “${schedule.cron}” in ${schedule.timezone}.` : "No schedule is known here."} Times below are
      those of ${timeZone}.
    </p>
    ${tilesOf(job)}
    <h3>The last twelve months</h3>
    <p>${describeYear(job)}</p>
    ${yearOf(job)}
    <h3>Size and duration</h3>
    ${chartsOf(job)}
    <h3>Drills</h3>
    ${drillsOf(job)}
    <h3>Where the copies are, and until when</h3>
    ${copiesOf(job)}
    <h3>What is not in the newest backup</h3>
    ${
      omitted.length === 0
        ? html`<p>Its manifest names nothing that it leaves out.</p>`
        : html`<ul>
            ${omitted.map(({ artifact, reason }) => html`<li><strong>${artifact}</strong>: ${reason}</li>`)}
          </ul>`
    }
    <h3>How to restore</h3>
    ${
      restore === null
        ? html`<p>There is no backup to restore that is verified and free of suspicion.</p>`
        : html`<p>Put the URL of an empty database into <code>TARGET_URL</code>, then:</p>
            <pre><code>${restore.split(" ").map((word) => html`<span class="word">${word}</span> `)}</code></pre>
            <p class="soft">
              Add <code>--dry-run</code> to see the plan first. “Without this program” of Provision's docs/restore.md
              says how to do it by hand, with age, zstd and pg_restore.
            </p>`
    }
    ${when(
      warnings.length > 0,
      () =>
        html`<h3>What counts for nothing</h3>
          <ul>
            ${warnings.map((warning) => html`<li>${warning}</li>`)}
          </ul>`,
    )}
  </section>`;
}

function tilesOf({ recoverable, recoveryPoint, proven, recoveryTime, destinations, timeZone }: JobReport): Markup {
  const tile = (name: string, style: string, value: string, ...more: string[]) =>
    html`<div>
      <dt>${name}</dt>
      <dd class="${style}">${value}${more.map((line) => html`<span>${line}</span>`)}</dd>
    </div>`;
  const kept = [
    ...(recoverable?.lockedUntil == null ? [] : [`locked until ${minuteOf(recoverable.lockedUntil, timeZone)}`]),
    ...(recoverable?.hold
      ? [
          recoverable.hold.until === null
            ? "held until it is released"
            : `held until ${minuteOf(recoverable.hold.until, timeZone)}`,
        ]
      : []),
  ];
  const read = destinations.filter(({ problem }) => problem === null).length;
  return html`<dl class="tiles">
    ${
      recoverable
        ? tile(
            "Recoverable to",
            styleOf(recoveryPoint),
            minuteOf(recoverable.time, timeZone),
            `${readable(recoverable.ageSeconds)} ago`,
            ...promise(recoveryPoint),
          )
        : tile("Recoverable to", "bad", "nothing")
    }
    ${
      proven
        ? tile(
            "Proven by a restore",
            styleOf(recoveryTime),
            minuteOf(proven.time, timeZone),
            proven.seconds === null ? "its seconds are not recorded" : `in ${took(proven.seconds)}`,
            ...promise(recoveryTime),
          )
        : tile("Proven by a restore", "warn", "never", "no drill has succeeded")
    }
    ${tile("Locked or held", "", kept.length === 0 ? "neither" : kept.join(", "), ...(recoverable?.hold ? [recoverable.hold.reason] : []))}
    ${tile(
      "Copies of it",
      read < destinations.length ? "bad" : "",
      `in ${recoverable?.destinations.length ?? 0} of ${counted(destinations.length, "destination")}`,
      ...(read < destinations.length ? [`${destinations.length - read} could not be read`] : []),
    )}
  </dl>`;
}

function styleOf(objective: Objective | null): string {
  if (objective === null) return "";
  return objective.met ? "good" : "bad";
}

function promise(objective: Objective | null): string[] {
  return objective ? [`objective ${readable(objective.objectiveSeconds)}: ${objective.met ? "met" : "missed"}`] : [];
}

function chartsOf(job: JobReport): Markup {
  const { backups, calendar, timeZone } = job;
  const start = Date.parse(calendar[0]?.date ?? "");
  const shown = backups.filter(({ time }) => Date.parse(time) >= start);
  const points = (value: (backup: BackupReport) => number | null, text: (value: number) => string) =>
    shown.flatMap((backup): Point[] => {
      const y = value(backup);
      if (y === null) return [];
      const odd = backup.suspicious ? "lost" : backup.findings.length > 0 ? "odd" : undefined;
      return [
        { time: Date.parse(backup.time), value: y, odd, title: `${minuteOf(backup.time, timeZone)}, ${text(y)}` },
      ];
    });
  const said = (what: string, some: readonly Point[], text: (value: number) => string) => {
    const values = some.map(({ value }) => value);
    const marked = some.filter(({ odd }) => odd !== undefined).length;
    return `${what} of ${counted(some.length, "backup")}: the newest ${text(values.at(-1) ?? 0)}, the least ${text(Math.min(...values))}, the most ${text(Math.max(...values))}; ${marked} marked as unusual.`;
  };
  const sizes = points(({ storedBytes }) => storedBytes, bytes);
  const durations = points(({ seconds }) => seconds, took);
  const odd = shown.filter(({ findings, suspicious }) => findings.length > 0 || suspicious);
  return html`<div class="charts">
      ${chart({ title: "Stored size of each backup", summary: said("Stored size", sizes, bytes), points: sizes, steps: decimalStep, label: bytes })}
      ${chart({ title: "Duration of each run", summary: said("Duration", durations, took), points: durations, steps: clockStep, label: short })}
    </div>
    ${
      odd.length === 0
        ? html`<p>No backup of these was far from the usual.</p>`
        : html`<p>
              <span class="bad" aria-hidden="true">◆</span> may have lost something,
              <span class="warn" aria-hidden="true">○</span> unusual:
            </p>
            <ul>
              ${odd.map(
                ({ time, id, suspicious, findings, accepted }) =>
                  html`<li>
                    <strong class="${suspicious ? "bad" : "warn"}">${suspicious ? "Suspicious" : "Unusual"}</strong>,
                    ${minuteOf(time, timeZone)} (${id}):
                    ${findings.join(" ")}${accepted === null ? "" : ` Accepted: ${accepted}`}
                  </li>`,
              )}
            </ul>`
    }`;
}

/** A mark of an axis: `30 s`, `5 min`, `2 h`. */
function short(seconds: number): string {
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`;
  return seconds < 3600 ? `${Number((seconds / 60).toFixed(1))} min` : `${Number((seconds / 3600).toFixed(1))} h`;
}
