import * as pulumi from "@pulumi/pulumi";
import { AwsBackups, BackupCopyBucket } from "../../../components/index.ts";
import { OTHER, OTHER_ROLE, REGION, SOURCE } from "./accounts.ts";
import { oneJob, placeProvider } from "./places.ts";

// A job in the default provider's account, one in another account by a provider that takes a role there, and a copy of the first one's
// backups in the other account. All in one region, so that nothing but the account tells them apart.

const other = placeProvider("other", { region: REGION, assumeRoles: [{ roleArn: OTHER_ROLE }] });
const [replicationRoles, setReplicationRoles] = pulumi.deferredOutput<string[]>();
const copies = new BackupCopyBucket(
  "copies",
  { stack: "dev", sourceAccountId: SOURCE, replicationRoles },
  { provider: other },
);
const { bucketArn, keyArn, accountId } = copies;
const replica = { bucketArn, keyArn, accountId };
const first = new AwsBackups("first", oneJob("one", { region: REGION, account: SOURCE }, { replica }));
const second = new AwsBackups("second", oneJob("two", { region: REGION, account: OTHER }, {}), { provider: other });
setReplicationRoles(pulumi.all([first.replicationRoleArn ?? ""]));

export const { replicationRoleArn } = first;
export const buckets = { first: first.bucket, second: second.bucket, copies: copies.bucketName };
export const keys = { first: first.key, second: second.key, copies: keyArn };
export const jobs = { ...first.jobs, ...second.jobs };
export { accountId };
