import * as pulumi from "@pulumi/pulumi";
import { jobSecrets, type JobSecret, type JobSettings } from "../../../providers/config.ts";
import type { JobTasks } from "../backup-runner.ts";
import { holderSecrets } from "../backup-holders.ts";
import { readsTag, rolesInPolicy, type RolesInPolicy } from "../principals.ts";

/** Who may read the stack's secrets, known only once there are the roles that start tasks. */
export interface SecretReaders {
  /** By the secret's name. Each depends on the roles of its own jobs alone: what depended on all of 200 jobs took seconds. */
  readonly byName: Readonly<Record<string, pulumi.Output<RolesInPolicy>>>;
  /**
   * Says who they are: the roles that start the tasks of the jobs which refer to a secret, those that hold such a job's backups, where
   * it signs, and others. To be called once.
   *
   * @param tasks each job's tasks
   * @param holderRoles the ARN of the role that holds a job's backups, by job
   * @param others ARN patterns of who else may read every secret
   */
  set(
    tasks: Readonly<Record<string, JobTasks>>,
    holderRoles: Readonly<Record<string, pulumi.Output<string>>>,
    others: pulumi.Output<readonly string[]>,
  ): void;
}

/** The readers of some secrets, for the jobs that refer to them. */
export function secretReaders(names: readonly string[], jobs: readonly JobSettings[], owner: string): SecretReaders {
  const deferred = names.map((name) => [name, pulumi.deferredOutput<RolesInPolicy>()] as const);
  return {
    byName: Object.fromEntries(deferred.map(([name, [readers]]) => [name, readers])),
    set(tasks, holderRoles, others) {
      const refsOf = (job: JobSettings) => jobSecrets(job).map(({ ref }) => ref);
      // An existing role has policies that its owner attaches.
      const startedBy = (existing: boolean) =>
        rolesBySecret(jobs, refsOf, ({ name }) => {
          const backup = tasks[name]?.backup;
          return (backup?.executionPolicies !== undefined) === existing ? backup?.executionRoleArn : undefined;
        });
      const [starting, existing] = [startedBy(false), startedBy(true)];
      const heldWith = (job: JobSettings) => holderSecrets(job).map(({ source }) => source);
      const holding = rolesBySecret(jobs, heldWith, ({ name }) => holderRoles[name]);
      for (const [name, [, resolve]] of deferred) {
        const arnsIn = (roles: RolesBySecret) => pulumi.all([...(roles.get(name) ?? [])]);
        const readers = pulumi.all([arnsIn(starting), arnsIn(holding), arnsIn(existing), others]);
        resolve(
          readers.apply(([starters, holders, before, further]) => {
            const { named, own } = rolesInPolicy([...starters, ...holders], before, [readsTag(name), owner]);
            return { named: [...named, ...further], own };
          }),
        );
      }
    },
  };
}

type RolesBySecret = ReadonlyMap<string, ReadonlySet<pulumi.Output<string>>>;

/** The roles that read each of the stack's secrets: one a job, for those that the job refers to. */
function rolesBySecret(
  jobs: readonly JobSettings[],
  refsOf: (job: JobSettings) => readonly JobSecret["ref"][],
  roleOf: (job: JobSettings) => pulumi.Output<string> | undefined,
): RolesBySecret {
  const found = new Map<string, Set<pulumi.Output<string>>>();
  for (const job of jobs) {
    const role = roleOf(job);
    if (role === undefined) continue;
    for (const ref of refsOf(job)) {
      if ("secret" in ref) found.set(ref.secret, (found.get(ref.secret) ?? new Set()).add(role));
    }
  }
  return found;
}
