import { setTimeout as sleep } from "node:timers/promises";
import { styleText } from "node:util";
import * as pulumi from "@pulumi/pulumi";

// Measures what a preview of the AWS target costs the program itself, by the number of jobs: settings, components, and every
// resource handed over, but no engine and no provider. The processor's time counts, whatever else the machine does meanwhile.
// `--json` for machines; numbers as arguments instead of the usual ones.

const JOBS = [1, 10, 50, 200];

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
      image: `123456789012.dkr.ecr.us-east-1.amazonaws.com/provision@sha256:${"0".repeat(64)}`,
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
        token.includes("getVpcs") ? { ids: ["vpc-1"] } : { ids: ["subnet-1"], accountId: "1", id: "us-east-1" },
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

const arguments_ = process.argv.slice(2);
const asJson = arguments_.includes("--json");
const chosen = arguments_.filter((argument) => argument !== "--json").map(Number);

// The first import loads the packages, which the number of jobs does not change.
const loading = process.cpuUsage();
await import("../../components/aws-backups.ts");
const loadSeconds = cpuSeconds(loading);
const measurements: Measurement[] = [];
for (const jobs of chosen.length === 0 ? JOBS : chosen) {
  measurements.push(await measure(jobs));
  await sleep(0);
}
if (asJson) console.log(JSON.stringify({ loadSeconds, measurements }));
else {
  console.log(styleText("bold", "  jobs  resources  seconds  ms a job"));
  for (const { jobs, resources, seconds } of measurements) {
    const columns = [jobs, resources, seconds.toFixed(2), ((seconds * 1000) / jobs).toFixed(0)];
    console.log(columns.map((column, index) => String(column).padStart([6, 9, 7, 8][index] ?? 0)).join("  "));
  }
  console.log(`and ${loadSeconds.toFixed(2)} s to load the packages, once`);
}
