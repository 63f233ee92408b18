import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { usesOnlyEndpoints } from "../../../components/aws/aws-backups/only-endpoints.ts";
import { JobSettings } from "../../../providers/config.ts";
import { IMAGE } from "../../helpers/aws-jobs.ts";

const job = (changes: object = {}) =>
  JobSettings.parse({
    name: "app",
    database: { kind: "postgres", url: { secret: "appUrl" } },
    destinations: [{ kind: "s3" }],
    ...changes,
  });
const region = "eu-central-1";
const url = (ref: object) => ({ database: { kind: "postgres", url: ref } });
const secretIn = (place: string) => url({ arn: `arn:aws:secretsmanager:${place}:123456789012:secret:app-AbCdEf` });

describe("usesOnlyEndpoints", () => {
  it.each([
    ["an image in ECR of the region", { image: IMAGE }],
    ["an image that is built here", {}],
  ])("holds for jobs that store in the stack's bucket alone, with %s", (_, aws) => {
    expect(
      usesOnlyEndpoints({
        aws,
        region,
        jobs: [
          job(),
          job({ destinations: [{ kind: "s3", prefix: "b" }] }),
          job(secretIn(region)),
          job(url({ ssm: "/app" })),
        ],
      }),
    ).toBe(true);
  });

  it.each<[string, object, object]>([
    ["an image of another registry", { image: IMAGE.replace(/^[^/]*/, "ghcr.io") }, {}],
    ["an image in ECR of another region", { image: IMAGE.replace("eu-central-1", "eu-west-1") }, {}],
    ["an image that is known later", { image: pulumi.output(IMAGE) }, {}],
    ["a store elsewhere", {}, { destinations: [{ kind: "s3" }, { kind: "s3", bucket: "own" }] }],
    ["a secret of another region", {}, secretIn("eu-west-1")],
    ["a parameter of another region", {}, url({ ssm: "arn:aws:ssm:eu-west-1:123456789012:parameter/app" })],
    ["a monitor", {}, { monitor: { kind: "sentry", dsn: { secret: "dsn" } } }],
    ["files", {}, { files: { kind: "supabase-storage", url: "https://p.supabase.co", key: { secret: "key" } } }],
  ])("does not hold with %s", (_, aws, changes) => {
    expect(usesOnlyEndpoints({ aws, region, jobs: [job(), job(changes)] })).toBe(false);
  });
});
