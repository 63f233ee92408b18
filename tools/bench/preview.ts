import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import { type Check, describeCheck, judge } from "./check.ts";

// Measures what a preview of the AWS target costs the program itself, by the number of jobs: settings, components, and every
// resource handed over, but no engine and no provider. The processor's time counts, whatever else the machine does.
// Ends with 1 where something is not as promised.

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    /** Numbers of jobs, the smallest first. */
    jobs: { type: "string", default: "1,10,50,200" },
  },
});

/** What the program promises. */
const LIMITS = {
  /** Seconds of the program's own time, with up to 200 jobs. */
  seconds: 15,
  jobs: 200,
  /** What a job costs among the most to what it costs among the next fewer: 1 where the cost grows linearly, 4 where by the square. */
  growth: 1.3,
};

/** The image's digest. */
const DIGEST = `sha256:${"0".repeat(64)}`;

/** What a preview of some jobs cost. */
interface Measurement {
  readonly jobs: number;
  readonly resources: number;
  readonly seconds: number;
}

/** The configuration of a stack with some jobs, as Pulumi hands it over. */
function configOf(jobs: number): Record<string, string> {
  const names = Array.from({ length: jobs }, (_, index) => `job-${index}`);
  return {
    "aws:region": "us-east-1",
    "provision:target": "aws",
    "provision:aws": JSON.stringify({
      image: `123456789012.dkr.ecr.us-east-1.amazonaws.com/provision@${DIGEST}`,
      alarms: { emails: ["ops@example.com"] },
    }),
    "provision:secrets": JSON.stringify(
      Object.fromEntries(names.map((_, index) => [`url${index}`, "postgres://db/app"])),
    ),
    "provision:jobs": JSON.stringify(
      names.map((name, index) => ({
        name,
        schedule: { cron: `${index % 60} ${index % 24} * * *` },
        database: { kind: "postgres", url: { secret: `url${index}` } },
        destinations: [{ kind: "s3" }],
        retention: { last: 7 },
      })),
    ),
  };
}

async function measure(jobs: number): Promise<Measurement> {
  let resources = 0;
  await pulumi.runtime.setMocks(
    {
      newResource: ({ name, inputs }) => {
        resources += 1;
        return { id: `${name}-id`, state: inputs as Record<string, unknown> };
      },
      call: ({ token }) =>
        token.includes("getVpcs")
          ? { ids: ["vpc-1"] }
          : {
              ids: ["subnet-1"],
              accountId: "1",
              id: "us-east-1",
              region: "us-east-1",
              imageIds: [{ imageDigest: DIGEST }],
            },
    },
    "provision",
    "bench",
    true,
  );
  pulumi.runtime.setAllConfig(configOf(jobs), ["provision:secrets"]);
  const begun = process.cpuUsage();
  await import(`../../index.ts?jobs=${jobs}`);
  await (pulumi.runtime as unknown as { waitForRPCs(): Promise<void> }).waitForRPCs();
  return { jobs, resources, seconds: cpuSeconds(begun) };
}

/** The processor's time since a point. */
function cpuSeconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
}

const say = (line: string) => {
  if (!options.json) console.log(line);
};

// The first import loads the packages, which the number of jobs does not change.
const loading = process.cpuUsage();
await import("../../components/aws/aws-backups.ts");
const loadSeconds = cpuSeconds(loading);
say(`${loadSeconds.toFixed(2)} s to load the packages, once`);
say("  jobs  resources  seconds  ms a job");
const measurements: Measurement[] = [];
for (const count of options.jobs.split(",").map(Number)) {
  const measured = await measure(count);
  const { jobs, resources, seconds } = measured;
  measurements.push(measured);
  const columns = [jobs, resources, seconds.toFixed(2), msPerJob(measured).toFixed(0)];
  say(columns.map((column, index) => String(column).padStart([6, 9, 7, 8][index] ?? 0)).join("  "));
  await sleep(0);
}

function msPerJob({ jobs, seconds }: Measurement): number {
  return (seconds * 1000) / jobs;
}

const checks: Check[] = measurements
  .filter(({ jobs }) => jobs <= LIMITS.jobs)
  .map(({ jobs, seconds }) => {
    return { what: `time for ${jobs} jobs`, value: loadSeconds + seconds, atMost: LIMITS.seconds, unit: "s" };
  });
const [fewer, most] = measurements.slice(-2);
if (fewer !== undefined && most !== undefined) {
  const what = `what a job costs among ${most.jobs}, to the same among ${fewer.jobs}`;
  checks.push({ what, value: msPerJob(most) / msPerJob(fewer), atMost: LIMITS.growth });
}
for (const check of checks) say(describeCheck(check));
if (options.json) console.log(JSON.stringify({ loadSeconds, measurements, checks }, null, 2));
judge(checks);
