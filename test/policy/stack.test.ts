import type { PolicyResource } from "@pulumi/policy";
import { describe, expect, it } from "vitest";
import { backupBuckets, companionOf } from "../../policy/rules/stack.ts";

const resource = (type: string, name: string, props: object = {}) =>
  ({ type, name, urn: `urn:${name}`, props, propertyDependencies: {} }) as unknown as PolicyResource;
const bucket = (name: string, version = "") =>
  resource(`aws:s3/bucket${version}:Bucket${version}`, name, { bucket: name });
const logging = (of: string, into: string) =>
  resource("aws:s3/bucketLogging:BucketLogging", `${of}-logging`, { bucket: of, targetBucket: into });
const namesOf = (resources: readonly PolicyResource[]) => backupBuckets(resources).map(({ name }) => name);

describe("the buckets that the rules are about", () => {
  it("are all but those of logs", () => {
    expect(namesOf([bucket("backups"), bucket("logs"), logging("backups", "logs")])).toEqual(["backups"]);
  });

  it("are also one that logs into itself, which would else be under no rule", () => {
    expect(namesOf([bucket("backups"), logging("backups", "backups")])).toEqual(["backups"]);
  });

  it("are also those of the former type, with their companions", () => {
    const old = bucket("backups", "V2");
    const versioning = resource("aws:s3/bucketVersioningV2:BucketVersioningV2", "versioning", { bucket: "backups" });
    expect(namesOf([old])).toEqual(["backups"]);
    expect(companionOf(old, "BucketVersioning", [old, versioning])).toBe(versioning);
  });
});
