import * as pulumi from "@pulumi/pulumi";
import { jobSecrets, type JobSettings } from "../../../providers/config.ts";
import type { JobTasks } from "../backup-runner.ts";
import { fitArns } from "../principals.ts";

/** Who may read the stack's secrets: ARN patterns, known only once there are the roles that start tasks. */
export interface SecretReaders {
  /** By the secret's name. Each depends on the roles of its own jobs alone: what depended on all of 200 jobs took seconds. */
  readonly byName: Readonly<Record<string, pulumi.Output<readonly string[]>>>;
  /**
   * Says who they are: the roles that start the tasks of the jobs which refer to a secret, and others. To be called once.
   *
   * @param tasks each job's tasks
   * @param others ARN patterns of who else may read every secret
   */
  set(tasks: Readonly<Record<string, JobTasks>>, others: pulumi.Output<readonly string[]>): void;
}

/** The readers of some secrets, for the jobs that refer to them. */
export function secretReaders(names: readonly string[], jobs: readonly JobSettings[]): SecretReaders {
  const deferred = names.map((name) => [name, pulumi.deferredOutput<readonly string[]>()] as const);
  return {
    byName: Object.fromEntries(deferred.map(([name, [readers]]) => [name, readers])),
    set(tasks, others) {
      const roles = rolesBySecret(jobs, tasks);
      for (const [name, [, resolve]] of deferred) {
        const starting = pulumi.all([...(roles.get(name) ?? [])]);
        resolve(pulumi.all([starting, others]).apply(([arns, further]) => [...fitArns(arns), ...further]));
      }
    },
  };
}

function rolesBySecret(
  jobs: readonly JobSettings[],
  tasks: Readonly<Record<string, JobTasks>>,
): Map<string, Set<pulumi.Output<string>>> {
  const found = new Map<string, Set<pulumi.Output<string>>>();
  for (const job of jobs) {
    const role = tasks[job.name]?.backup.executionRoleArn;
    if (role === undefined) continue;
    for (const { ref } of jobSecrets(job)) {
      if ("secret" in ref) found.set(ref.secret, (found.get(ref.secret) ?? new Set()).add(role));
    }
  }
  return found;
}
