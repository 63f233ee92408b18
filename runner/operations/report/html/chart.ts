import { html, when, type Markup } from "./markup.ts";

/** A figure of one backup. */
export interface Point {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly value: number;
  /** Far from usual: `lost` where it may have lost something. */
  readonly odd: "odd" | "lost" | undefined;
  /** What a pointer shows at an odd one. */
  readonly title: string;
}

/** A chart of one figure over time. */
export interface ChartOptions {
  readonly title: string;
  /** What a screen reader says in its place. */
  readonly summary: string;
  /** The oldest first. */
  readonly points: readonly Point[];
  /** Steps of the axis that read well, ascending. */
  readonly steps: (largest: number) => number;
  readonly label: (value: number) => string;
}

const [WIDTH, HEIGHT] = [400, 170];
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 10, 10, 22];

/** Points that are each drawn, beside the line. */
const FEW = 60;

/** A span in which months are marked, in milliseconds. */
const LONG_MS = 60 * 86_400_000;

/**
 * A chart as SVG, in the page's own colours. Marks of months, steps of 1, 2 and 5, and a line are all that it takes: a library for these
 * would bring ten packages into the runner's image.
 */
export function chart({ title, summary, points, steps, label }: ChartOptions): Markup {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return html`<figure><figcaption>${title}: no backup says it.</figcaption></figure>`;
  const largest = Math.max(...points.map(({ value }) => value), 1);
  const step = steps(largest);
  const top = Math.ceil(largest / step) * step;
  const span = Math.max(last.time - first.time, 1);
  const x = (time: number) => round(LEFT + ((time - first.time) / span) * (WIDTH - LEFT - RIGHT));
  const y = (value: number) => round(HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM));
  const levels = Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step);
  const line = points.map(({ time, value }, index) => `${index === 0 ? "M" : "L"}${x(time)} ${y(value)}`).join("");
  const dots = points.length <= FEW ? points.filter(({ odd }) => odd === undefined) : [];
  return html`<figure>
    <figcaption>${title}</figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${summary}">
      ${levels.map((value) => html`<path class="grid" d="M${LEFT} ${y(value)}H${WIDTH - RIGHT}" /><text x="${LEFT - 6}" y="${y(value) + 3.5}" text-anchor="end">${label(value)}</text>`)}
      ${marksOf(first.time, last.time).map(({ time, text, anchor }) => html`<text x="${x(time)}" y="${HEIGHT - 6}" text-anchor="${anchor}">${text}</text>`)}
      <path class="curve" d="${line}" />
      ${dots.map(({ time, value }) => html`<circle class="point" cx="${x(time)}" cy="${y(value)}" r="1.8" />`)}
      ${points.map((point) => when(point.odd !== undefined, () => oddMark(point, x(point.time), y(point.value))))}
    </svg>
  </figure>`;
}

/** A diamond for what may be lost, a ring for what is only unusual: the shape says it, too. */
function oddMark({ odd, title }: Point, x: number, y: number): Markup {
  return odd === "lost"
    ? html`<path class="lost" d="M${x} ${round(y - 6)}L${round(x + 6)} ${y}L${x} ${round(y + 6)}L${round(x - 6)} ${y}Z"
        ><title>${title}</title></path
      >`
    : html`<circle class="odd" cx="${x}" cy="${y}" r="4"><title>${title}</title></circle>`;
}

interface Mark {
  readonly time: number;
  readonly text: string;
  readonly anchor: "start" | "middle" | "end";
}

/** Every second month by its name, January by its year; of a short span the first and the last day. */
function marksOf(from: number, to: number): Mark[] {
  const day = (time: number) => new Date(time).toISOString().slice(0, 10);
  if (to - from < LONG_MS) {
    const first: Mark = { time: from, text: day(from), anchor: "start" };
    return day(from) === day(to) ? [first] : [first, { time: to, text: day(to), anchor: "end" }];
  }
  const start = new Date(from);
  const marks: Mark[] = [];
  for (let month = start.getUTCMonth() + 1; ; month += 1) {
    const time = Date.UTC(start.getUTCFullYear(), month);
    if (time > to) return marks;
    const date = new Date(time);
    const isJanuary = date.getUTCMonth() === 0;
    const text = isJanuary
      ? String(date.getUTCFullYear())
      : date.toLocaleString("en", { month: "short", timeZone: "UTC" });
    if (date.getUTCMonth() % 2 === 0) marks.push({ time, text, anchor: "middle" });
  }
}

/** The largest of 1, 2 and 5 times a power of ten that gives an axis at least three steps. */
export function decimalStep(largest: number): number {
  const rough = largest / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  return ([5, 2, 1].find((factor) => factor * power <= rough) ?? 1) * power;
}

/** The same of seconds: whole minutes and hours above a minute. */
export function clockStep(largest: number): number {
  const rough = largest / 3;
  if (rough < 30) return Math.max(decimalStep(largest), 0.1);
  const steps = [30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200];
  return steps.findLast((step) => step <= rough) ?? 30;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
