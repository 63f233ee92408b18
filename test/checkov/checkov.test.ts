import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AwsBackups } from "../../components/aws/aws-backups.ts";
import { AwsSettings } from "../../components/aws/settings.ts";
import { ensureCheckov } from "../../tools/install/checkov.ts";
import { app, IMAGE, web } from "../helpers/aws-jobs.ts";
import { mockEngine, registered } from "../helpers/mocks.ts";
import { TemporaryFolder } from "../helpers/script.ts";
import { terraformPlan } from "./plan.ts";

const accepted = fileURLToPath(new URL("../../.checkov.yaml", import.meta.url));
const calls = { "aws:ec2/getVpcs:getVpcs": { ids: ["vpc-1"] }, "aws:ec2/getSubnets:getSubnets": { ids: ["subnet-a"] } };
/** Its companions name a bucket by its name. */
const states = { "aws:s3/bucket:Bucket": (name: string) => ({ bucket: name }) };

interface Report {
  readonly summary: { readonly passed: number; readonly failed: number; readonly resource_count: number };
  readonly results: { readonly failed_checks: readonly { readonly check_id: string; readonly resource: string }[] };
}

describe("Checkov, on a whole stack", () => {
  const folder = new TemporaryFolder();
  let report: Report;
  let resources: number;

  beforeAll(async () => {
    const checkov = await ensureCheckov();
    const recorded = await mockEngine({ calls, states });
    const jobSecretNames = ["ageIdentity", "appUrl", "drillUrl", "dropboxToken", "sentryDsn"];
    const backups = new AwsBackups("provision", {
      stack: "prod",
      region: "eu-central-1",
      aws: AwsSettings.parse({
        image: IMAGE,
        bucket: { accessLogs: {}, replica: { region: "eu-west-1" } },
      }) as AwsSettings,
      jobs: [app, web],
      secrets: Object.fromEntries(jobSecretNames.map((name) => [name, "x"])),
      jobSecretNames,
      source: process.cwd(),
    });
    await registered(backups);
    resources = recorded.filter(({ type }) => type.startsWith("aws:")).length;
    const file = join(folder.path, "tfplan.json");
    writeFileSync(file, JSON.stringify(terraformPlan(recorded)));
    const options = ["--file", file, "--framework", "terraform_plan", "--compact", "--quiet", "--output", "json"];
    // Not in this project's folder, whose configuration would leave out what it accepts.
    const { stdout, stderr } = spawnSync(checkov, options, { cwd: folder.path, encoding: "utf8", timeout: 120_000 });
    if (stdout === "") throw new Error(`checkov found nothing to check:\n${stderr}`);
    report = JSON.parse(stdout) as Report;
  });
  afterAll(() => {
    folder.remove();
  });

  it("has checked every resource, by hundreds of checks", () => {
    expect(report.summary.resource_count).toBe(resources);
    expect(report.summary.passed).toBeGreaterThan(250);
  });

  it("finds what .checkov.yaml explains and nothing else", () => {
    const listed = [...readFileSync(accepted, "utf8").matchAll(/^ {2}- (CKV\w+) # .{20,}$/gm)].map(([, id]) => id);
    const found = report.results.failed_checks.map(({ check_id }) => check_id);
    expect([...new Set(found)].sort()).toEqual(listed.sort());
  });

  it("finds it only where the explanation holds", () => {
    const where = (id: string) =>
      report.results.failed_checks
        .filter(({ check_id }) => check_id === id)
        .map(({ resource }) => resource)
        .sort();
    const [logs, copy] = ["aws_s3_bucket.provision-bucket-access-logs", "aws_s3_bucket.provision-bucket-replica"];
    expect(where("CKV_AWS_144")).toEqual([logs, copy]);
    expect(where("CKV_AWS_145")).toEqual([logs]);
    expect(where("CKV_AWS_18")).toEqual([copy]);
    expect(where("CKV2_AWS_62")).toEqual([logs, copy]);
  });
});
