import { describe, expect, it } from "vitest";
import { jobPermissions, jobPorts, JobConfig, JobSettings } from "../../providers/config.ts";
import { app, web } from "../helpers/aws-jobs.ts";

function job(...destinations: object[]): JobConfig {
  const database = { kind: "postgres", url: { secret: "url" } };
  return JobConfig.parse({ stack: "prod", name: "app", database, destinations });
}

const place = { partition: "aws", region: "eu-central-1", account: "123456789012" };

describe("jobPorts", () => {
  it("is what the providers of a job declare, without the port that is always open", () => {
    expect(jobPorts(app)).toEqual([5432]);
    expect(jobPorts(web)).toEqual([5432]);
    const s3 = (endpoint: string) => ({ kind: "s3", bucket: "some", endpoint });
    const stores = ["https://minio.example.com:9000", "http://minio.example.com", "https://minio.example.com"].map(s3);
    expect(jobPorts(JobSettings.parse({ ...app, destinations: stores }))).toEqual([80, 5432, 9000]);
  });
});

describe("jobPermissions", () => {
  it("is what the providers of a job declare for an access", () => {
    const [get] = jobPermissions(job({ kind: "s3", bucket: "mine", prefix: "x" }), {
      access: "read",
      ...place,
      partition: "aws-cn",
    });
    expect(get).toEqual({
      Effect: "Allow",
      Action: ["s3:GetObject"],
      Resource: ["arn:aws-cn:s3:::mine/x/prod/app/*"],
    });
  });

  it.each(["backup", "read", "drill", "prune", "report"] as const)(
    "is nothing for %s without a store of AWS",
    (access) => {
      expect(jobPermissions(job({ kind: "filesystem", path: "/x" }), { access, ...place })).toEqual([]);
    },
  );

  it("knows keys by their ARN, id or alias", () => {
    const resources = ["arn:aws:kms:eu-west-1:1:key/abc", "abc", "alias/a", "arn:aws:kms:eu-west-1:1:alias/a"].map(
      (kmsKeyId) => {
        const statements = jobPermissions(job({ kind: "s3", bucket: "mine", sse: { kmsKeyId } }), {
          access: "read",
          ...place,
        });
        return statements.filter(({ Action }) => Action.includes("kms:Decrypt")).flatMap(({ Resource }) => Resource);
      },
    );
    expect(resources.flat()).toEqual([
      "arn:aws:kms:eu-west-1:1:key/abc",
      "arn:aws:kms:*:*:key/abc",
      "arn:aws:kms:*:*:key/*",
      "arn:aws:kms:*:*:key/*",
    ]);
  });
});
