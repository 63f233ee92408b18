import type * as pulumi from "@pulumi/pulumi";
import { jobPermissions, type Access, type JobConfig, type PolicyStatement } from "../../providers/config.ts";
import type { AwsAccount } from "./aws-account.ts";

/**
 * What a role may do to a job's backups. Whatever it is allowed besides, here or by a transformation, a locked backup stays for as long as
 * it was promised.
 */
export function jobStatements(
  job: JobConfig,
  access: Access,
  { partition, region, id }: pulumi.Unwrap<AwsAccount>,
): PolicyStatement[] {
  return [
    ...jobPermissions(job, { access, partition, region, account: id }),
    { Effect: "Deny", Action: ["s3:BypassGovernanceRetention"], Resource: ["*"] },
  ];
}
