import type { Day, JobReport } from "../report.ts";
import { html, type Markup } from "./markup.ts";

/** How a day is shown: one of the classes of the style, what stands in its place for its number, and what it means. */
interface Look {
  readonly style: string;
  readonly sign: string;
  readonly meaning: string;
}

/** What is shown of a day: the first that is true of it. */
const LOOKS: readonly (Look & { readonly is: (day: Day) => boolean })[] = [
  { style: "missed", sign: "✕", meaning: "missed", is: ({ missed }) => missed > 0 },
  { style: "damaged", sign: "!", meaning: "damaged", is: ({ damaged }) => damaged > 0 },
  { style: "suspicious", sign: "?", meaning: "suspicious", is: ({ suspicious }) => suspicious > 0 },
  { style: "failed", sign: "▼", meaning: "drill failed", is: ({ drillFailed }) => drillFailed > 0 },
  {
    style: "verified drilled",
    sign: "",
    meaning: "verified, and a drill",
    is: (day) => day.verified > 0 && day.drilled > 0,
  },
  { style: "verified", sign: "", meaning: "verified", is: ({ verified }) => verified > 0 },
  { style: "unverified", sign: "", meaning: "made, never verified", is: ({ made }) => made > 0 },
  { style: "unknown", sign: "·", meaning: "removed since, or under way", is: ({ unknown }) => unknown > 0 },
  { style: "drilled", sign: "", meaning: "a drill", is: ({ drilled }) => drilled > 0 },
];

const NONE: Look = { style: "none", sign: "", meaning: "nothing" };

/** The last twelve months, a table for each, and what their signs mean. */
export function yearOf({ calendar }: JobReport): Markup {
  const months = [...Map.groupBy(calendar, ({ date }) => date.slice(0, 7))];
  const seen = LOOKS.filter((look) => calendar.some((day) => lookOf(day) === look));
  return html`<ul class="legend">
      ${seen.map(
        ({ style, sign, meaning }) =>
          html`<li><span class="key ${style}" aria-hidden="true">${sign === "" ? "1" : sign}</span>${meaning}</li>`,
      )}
    </ul>
    <div class="months">${months.map(([month, days]) => monthOf(month, days))}</div>`;
}

function lookOf(day: Day): Look {
  return LOOKS.find(({ is }) => is(day)) ?? NONE;
}

const WEEKDAYS = [
  ["M", "Monday"],
  ["T", "Tuesday"],
  ["W", "Wednesday"],
  ["T", "Thursday"],
  ["F", "Friday"],
  ["S", "Saturday"],
  ["S", "Sunday"],
] as const;

function monthOf(month: string, days: readonly Day[]): Markup {
  const name = new Date(`${month}-01`).toLocaleString("en", { month: "long", year: "numeric", timeZone: "UTC" });
  const weeks = Map.groupBy(days, ({ date }) => Math.floor((Date.parse(date) / 86_400_000 + 3) / 7));
  return html`<table>
    <caption>
      ${name}
    </caption>
    <thead>
      <tr>
        ${WEEKDAYS.map(([letter, weekday]) => html`<th scope="col"><abbr title="${weekday}">${letter}</abbr></th>`)}
      </tr>
    </thead>
    <tbody>
      ${[...weeks.values()].map(
        (week) =>
          html`<tr>
            ${WEEKDAYS.map((_, weekday) => cellOf(week.find(({ date }) => weekdayOf(date) === weekday)))}
          </tr> `,
      )}
    </tbody>
  </table>`;
}

/** Monday is 0. */
function weekdayOf(date: string): number {
  return (new Date(date).getUTCDay() + 6) % 7;
}

function cellOf(day: Day | undefined): Markup {
  if (day === undefined) return html`<td></td>`;
  const { style, sign } = lookOf(day);
  const number = String(Number(day.date.slice(8)));
  return html`<td class="day ${style}">
    <span aria-hidden="true">${sign === "" ? number : sign}</span><span class="sr">${number}: ${wordsOf(day)}</span>
  </td>`;
}

/** All of a day for who hears it. */
function wordsOf(day: Day): string {
  const words = LOOKS.filter(({ is, style }) => is(day) && style !== "verified drilled").map(({ meaning }) => meaning);
  return words.length === 0 ? NONE.meaning : words.join(", ");
}
