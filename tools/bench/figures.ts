import { DATA } from "./data.ts";
import type { Ratio, Result } from "./result.ts";
import type { Spread } from "./turns.ts";

/** What a run of the benchmark measured. */
export interface Figures {
  /** When, in UTC. */
  readonly at: Date;
  readonly cores: number;
  /** The server's version, such as `15.20`. */
  readonly postgres: string;
  /** Rounds, of which the tables have the medians. */
  readonly runs: number;
  readonly results: readonly Result[];
}

/** The tables of a run of the benchmark, as Markdown. */
export function figuresOf({ at, cores, postgres, runs, results }: Figures): string {
  const full = results.filter(({ data }) => data !== undefined);
  const empty = results.find(({ data }) => data === undefined);
  const kinds = [...new Set(full.map(({ data }) => String(data)))];
  const sizes = [...new Set(full.map(({ megabytes }) => megabytes))];
  const own = empty?.measurements.filter(({ peakMegabytes }) => peakMegabytes !== undefined) ?? [];
  return [
    `Written by \`npm run bench -- --write\` on ${at.toISOString().slice(0, 10)}, with ${cores} cores, which the server of PostgreSQL ${postgres} ` +
      `also used. The cases took turns; each number is the median of ${runs} rounds.`,
    ...kinds.map((kind) => `- \`${kind}\`: ${String(DATA[kind]?.what)}.`),
    "",
    `An empty database takes ${own.map(({ name, seconds }) => `${code(name)} ${seconds.median.toFixed(2)} s`).join(", ")}.`,
    ...sizes.flatMap((size) =>
      tablesOf(
        size,
        full.filter(({ megabytes }) => megabytes === size),
      ),
    ),
  ].join("\n");
}

/** The tables of databases of one size, with a column for each. */
function tablesOf(megabytes: number, results: readonly Result[]): string[] {
  const headings = results.map(({ data }) => String(data));
  const ratios = new Set(results.flatMap((result) => result.ratios).map(titleOf));
  const names = new Set(results.flatMap(({ measurements }) => measurements.map(({ name }) => name)));
  return [
    "",
    `### Databases of ${megabytes} MB`,
    "",
    "How many times as long one takes as the other, with the least and the most of the rounds; what exceeds its limit is bold:",
    "",
    table(
      ["compared", ...headings],
      [...ratios].map((title) => [title, ...results.map((result) => ratioOf(result, title))]),
    ),
    "",
    "Seconds, and the most memory that this program held:",
    "",
    table(
      ["case", ...headings],
      [...names].map((name) => [code(name), ...results.map((result) => costOf(result, name))]),
    ),
  ];
}

function ratioOf({ ratios }: Result, title: string): string {
  const found = ratios.find((each) => titleOf(each) === title);
  if (found === undefined) return "";
  const exceeded = found.atMost !== undefined && found.ratio.median > found.atMost;
  const limit = found.atMost === undefined ? "" : `, at most ${found.atMost}`;
  return `${exceeded ? `**${rangeOf(found.ratio)}**` : rangeOf(found.ratio)}${limit}`;
}

function costOf({ measurements }: Result, name: string): string {
  const { seconds, peakMegabytes } = measurements.find((each) => each.name === name) ?? {};
  if (seconds === undefined) return "";
  return `${seconds.median.toFixed(2)} s${peakMegabytes === undefined ? "" : `, ${peakMegabytes.toFixed(0)} MB`}`;
}

const rangeOf = ({ median, least, most }: Spread) => `${median.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`;

/** A case's name, of which the command alone is code. */
function code(name: string): string {
  const [, command = "", rest = ""] = /^(.*?)(, encrypted)?$/.exec(name) ?? [];
  return `\`${command.replaceAll("|", String.raw`\|`)}\`${rest}`;
}

const titleOf = ({ of, to }: Ratio) => `${code(of)} to ${code(to)}`;

const table = (headings: readonly string[], rows: readonly (readonly string[])[]) =>
  [headings, headings.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
