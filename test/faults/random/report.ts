import { PROMISES, type Broken } from "./oracle/promises.ts";
import type { Outcome } from "./run.ts";
import type { JobShape, Scenario } from "./scenario.ts";

/** Broken promises of one run that are printed, and how much of each. */
const SHOWN = 5;
const LONGEST = 1_200;

function detailOf({ promise, detail }: Broken): string {
  const short = detail.length > LONGEST ? `${detail.slice(0, LONGEST)} …` : detail;
  return `  ${promise}:\n    ${short.replaceAll("\n", "\n    ")}`;
}

/** A job in a few words: `filesystem+s3 encrypted directory, last 1`. */
export function jobOf({ stores, encrypted, dump, source, files, keep }: JobShape): string {
  const facts = [stores.join("+"), encrypted ? "encrypted" : "plain", dump, source];
  if (files) facts.push("files");
  return `${facts.join(" ")}, keeps ${keep ?? "all"}`;
}

/** One line about a run. */
export function lineOf(run: number, { scenario, what, hit, end, seconds, broken }: Outcome): string {
  const { job, command, fault } = scenario;
  const moment = `${fault.moment.after}+${fault.moment.plus.toFixed(2)}`;
  const verdict =
    broken.length === 0 ? "ok" : `BROKEN: ${[...new Set(broken.map(({ promise }) => promise))].join("; ")}`;
  return `#${run} ${jobOf(job)} | ${command} | ${fault.name} at ${moment}${hit ? `: ${what}` : " (missed)"} | ${end} | ${seconds.toFixed(1)} s | ${verdict}`;
}

/** All of a run that broke a promise. */
export function detailsOf(run: number, again: string, outcome: Outcome): string {
  return [
    `--- run ${run} broke ${outcome.broken.length === 1 ? "a promise" : `${outcome.broken.length} promises`}`,
    lineOf(run, outcome),
    ...outcome.broken.slice(0, SHOWN).map(detailOf),
    ...(outcome.broken.length > SHOWN
      ? [`  and ${outcome.broken.length - SHOWN} more, of which the log (--log) has all`]
      : []),
    ...outcome.commands.map(
      ({ args, code, signal, seconds }) =>
        `  $ provision ${args.join(" ")} -> ${String(code ?? signal)}, ${seconds.toFixed(1)} s`,
    ),
    `  again: ${again}`,
  ].join("\n");
}

/** Numbers by fault, by command, by store and by shape of the job. */
export function summaryOf(outcomes: readonly Outcome[]): string {
  const groups: [string, (scenario: Scenario) => readonly string[]][] = [
    ["fault", ({ fault }) => [fault.name]],
    ["command", ({ command }) => [command]],
    ["store", ({ job }) => [...new Set(job.stores)]],
    [
      "job",
      ({ job }) => [
        job.encrypted ? "encrypted" : "plain",
        `dump: ${job.dump}`,
        job.files ? "with files" : "without files",
        `${job.stores.length} destination${job.stores.length > 1 ? "s" : ""}`,
        `database: ${job.source}`,
      ],
    ],
  ];
  const lines: string[] = [];
  for (const [title, namesOf] of groups) {
    lines.push("", `${title.padEnd(26)} runs  hit  broken  ended with`);
    const names = [...new Set(outcomes.flatMap(({ scenario }) => namesOf(scenario)))].sort();
    for (const name of names) {
      const these = outcomes.filter(({ scenario }) => namesOf(scenario).includes(name));
      const ends = new Map<string, number>();
      for (const { end } of these) ends.set(end, (ends.get(end) ?? 0) + 1);
      const told = [...ends].sort((a, b) => b[1] - a[1]).map(([end, times]) => `${end}: ${times}`);
      const numbers = [these.length, these.filter(({ hit }) => hit).length].map((number) => String(number).padStart(5));
      const broken = these.filter((each) => each.broken.length > 0).length;
      lines.push(`${name.padEnd(25)}${numbers.join("")}  ${String(broken).padStart(6)}  ${told.join(", ")}`);
    }
  }
  const counts = PROMISES.map(
    (promise) =>
      [promise, outcomes.filter(({ broken }) => broken.some((each) => each.promise === promise)).length] as const,
  ).filter(([, times]) => times > 0);
  lines.push("", ...counts.map(([promise, times]) => `BROKEN in ${times} runs: ${promise}`));
  return lines.join("\n");
}
