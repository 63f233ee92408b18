import { AwsBackups, BackupCopyBucket } from "../../../components/index.ts";
import { oneJob, placeProvider } from "./places.ts";

// Jobs in two regions by explicit providers, and a copy of the first one's backups by the second's.

const virginia = placeProvider("us-east-1", { region: "us-east-1" });
const ireland = placeProvider("eu-west-1", { region: "eu-west-1" });
const copies = new BackupCopyBucket("copies", { stack: "dev", sourceAccountId: "123456789012" }, { provider: ireland });
const replica = { bucketArn: copies.bucketArn, keyArn: copies.keyArn };
const first = new AwsBackups("first", oneJob("one", { region: "us-east-1" }, { replica }), { provider: virginia });
const second = new AwsBackups("second", oneJob("two", { region: "eu-west-1" }, {}), { providers: [ireland] });

export const { bucket } = first;
export const { bucketName } = copies;
export const jobs = { ...first.jobs, ...second.jobs };
