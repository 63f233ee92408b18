import * as pulumi from "@pulumi/pulumi";
import type { JobSettings } from "../../providers/config.ts";
import { callerAccount } from "./aws-account.ts";
import { neededServices, usesOnlyEndpoints } from "./aws-backups/only-endpoints.ts";
import { lookUpBucket, lookUpReplica } from "./look-ups/bucket.ts";
import { lookUpCluster } from "./look-ups/cluster.ts";
import { lookUpImage } from "./look-ups/image.ts";
import { lookUpKeys } from "./look-ups/keys.ts";
import { lookUpLogGroup } from "./look-ups/log-group.ts";
import { lookUpNetwork } from "./look-ups/network.ts";
import { Questions } from "./look-ups/questions.ts";
import { lookUpHolders, lookUpRoles } from "./look-ups/roles.ts";
import { lookUpSecrets } from "./look-ups/secrets.ts";
import { lookUpTopic } from "./look-ups/topic.ts";
import type { AwsArgs } from "./settings.ts";

/**
 * Has a preview warn of what a stack takes over and AWS does not have, each thing looked up once. Only what is written down is
 * looked up: what another resource makes is not there before. An `up` begins with a preview, and need not ask twice.
 *
 * @returns when all is said; it never fails
 */
export async function lookUp(
  { region, aws, jobs }: { readonly region: string; readonly aws: AwsArgs; readonly jobs: readonly JobSettings[] },
  parent: pulumi.Resource,
): Promise<void> {
  if (!pulumi.runtime.isDryRun()) return;
  const questions = new Questions(region, parent);
  const account = await questions.ask("the account", () => callerAccount(parent));
  await Promise.all([
    lookUpNetwork(questions, aws, {
      onlyAws: usesOnlyEndpoints({ aws, region, jobs }),
      services: neededServices({ aws, jobs }),
    }),
    lookUpBucket(questions, aws),
    lookUpReplica(questions, aws, account),
    lookUpImage(questions, aws),
    lookUpKeys(questions, aws, account),
    lookUpLogGroup(questions, aws),
    lookUpSecrets(questions, jobs, account),
    lookUpRoles(questions, aws, account),
    lookUpHolders(questions, aws, account),
    lookUpCluster(questions, aws, account),
    lookUpTopic(questions, aws, account),
  ]);
  questions.conclude();
}
