import { firstName, type JobNames } from "../../../providers/config.ts";

/** Metrics that the widgets of one job hold: one each of age and duration, two of size, three of outcome. */
const METRICS_A_JOB = 7;

/** Jobs that one dashboard shows: it takes 2500 metrics. */
export const JOBS_A_DASHBOARD = Math.floor(2500 / METRICS_A_JOB / 50) * 50;

/** Rows of widgets that a person still scrolls through. */
const ROWS = 25;

/** The grid is 24 wide: four widgets a row. */
const WIDTH = 6;
const HEIGHT = 6;

/** Height of the line above all widgets. */
const TITLE_HEIGHT = 2;

const DAY_SECONDS = 86_400;

const GREEN = "#2ca02c";
const ORANGE = "#ff7f0e";
const RED = "#d62728";

/** A widget, in CloudWatch's own words. */
interface Widget {
  readonly type: "metric" | "text";
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** A line of a graph: namespace, name, dimensions, and how it looks. */
type Line = readonly [...names: string[], look: Readonly<Record<string, unknown>>];

/**
 * The body of a dashboard of some jobs: in a row, their age, size, duration and outcome.
 *
 * @param firstStack the stack's name in the metrics
 */
export function dashboardBody(
  stack: string,
  jobs: readonly JobNames[],
  region: string,
  firstStack: string,
): { widgets: Widget[] } {
  const perRow = Math.max(1, Math.ceil(jobs.length / ROWS));
  const title: Widget = {
    type: "text",
    x: 0,
    y: 0,
    width: 4 * WIDTH,
    height: TITLE_HEIGHT,
    properties: {
      markdown: `# Backups of ${stack}\nThe age is that of the newest verified backup at the end of each run.`,
    },
  };
  const widgets = [title];
  for (let start = 0, row = 0; start < jobs.length; start += perRow, row += 1) {
    const shown = jobs.slice(start, start + perRow);
    const [first, last] = [shown[0]?.name ?? "", shown.at(-1)?.name ?? ""];
    const label = shown.length === 1 ? first : `${first} … ${last}`;
    const alone = shown.length === 1;
    const graphs = [
      graph(
        `${label}: age`,
        shown.map((job) => line(firstStack, job, "NewestVerifiedAge", { label: job.name })),
        {
          stat: "Maximum",
          yAxis: { left: { min: 0, label: "Seconds", showUnits: false } },
        },
      ),
      graph(
        `${label}: size`,
        shown.flatMap((job) => [
          line(firstStack, job, "PlainBytes", { label: alone ? "in the database's dump" : job.name }),
          line(firstStack, job, "StoredBytes", { label: alone ? "stored" : `${job.name}, stored` }),
        ]),
        { stat: "Maximum", yAxis: { left: { min: 0, label: "Bytes", showUnits: false } } },
      ),
      graph(
        `${label}: duration`,
        shown.map((job) => line(firstStack, job, "RunDuration", { label: job.name })),
        {
          stat: "Maximum",
          yAxis: { left: { min: 0, label: "Seconds", showUnits: false } },
        },
      ),
      graph(
        `${label}: outcome`,
        shown.flatMap((job) => {
          const of = alone ? "" : `${job.name}: `;
          return [
            line(firstStack, job, "RunSucceeded", { label: `${of}verified`, color: GREEN }),
            line(firstStack, job, "RunPartial", { label: `${of}partial`, color: ORANGE }),
            line(firstStack, job, "RunFailed", { label: `${of}failed`, color: RED }),
          ];
        }),
        { stat: "Sum", period: DAY_SECONDS, view: "bar", stacked: true },
      ),
    ];
    widgets.push(
      ...graphs.map((properties, column): Widget => ({
        type: "metric",
        x: column * WIDTH,
        y: TITLE_HEIGHT + row * HEIGHT,
        width: WIDTH,
        height: HEIGHT,
        properties: { region, ...properties },
      })),
    );
  }
  return { widgets };
}

function graph(title: string, metrics: readonly Line[], look: Readonly<Record<string, unknown>>) {
  return { title, view: "timeSeries", period: 3600, ...look, metrics };
}

function line(stack: string, job: JobNames, metric: string, look: Readonly<Record<string, unknown>>): Line {
  return ["Provision", metric, "stack", stack, "job", firstName(job), look];
}
