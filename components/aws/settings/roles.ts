import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";

const Role = z
  .string()
  .regex(/^arn:[\w-]+:iam::\d{12}:role\/[\w+=,.@/-]+$/, { error: "expected the ARN of a role: arn:aws:iam::…:role/…" });

const existing = (what: string) =>
  Role.optional()
    .describe(`${what} Default: the stack makes one.`)
    .meta({ examples: ["arn:aws:iam::123456789012:role/backup-tasks"] });

/** The roles of a job's tasks, by what they are for. */
const JobRoles = {
  execution: existing("ECS starts the tasks with it: it pulls the image, reads the secrets and writes the log."),
  backup: existing("Of the task that backs up."),
  prune: existing("Of the task that prunes."),
  drill: existing("Of the task that drills."),
  report: existing("Of the task that publishes reports."),
  restore: existing("Of the task that restores."),
};

/** Existing roles, as `provision:aws.roles`. */
export const Roles = z
  .strictObject({
    ...JobRoles,
    scheduler: existing("EventBridge Scheduler has the tasks run with it."),
    stateMachine: existing("Step Functions starts, sees and stops the tasks with it."),
    jobs: z
      .record(z.string(), z.strictObject(JobRoles).partial())
      .optional()
      .describe("Roles for single jobs, by the job's name, so that its tasks may do what those of other jobs may not.")
      .meta({ examples: [{ app: { backup: "arn:aws:iam::123456789012:role/app-backup" } }] }),
  })
  .meta({ examples: [{ execution: "arn:aws:iam::123456789012:role/backup-tasks" }] });

/** What a role of a job's tasks is for. */
export type JobRole = keyof typeof JobRoles;

/** The fields of `roles` that name roles of a job's tasks. */
export const JOB_ROLES = Object.keys(JobRoles) as JobRole[];

/** ARNs of existing roles of a job's tasks. */
export type JobRoleArns = Readonly<Partial<Record<JobRole, pulumi.Input<string>>>>;
