/*
 * The environment variables in which the deployment hands a run what it needs: the only place that spells them. Stacks that are
 * deployed have set them, so none may get another name or form.
 */
import { createHash } from "node:crypto";

/** Holds the job's configuration as JSON, where no file is named. */
export const JOB_VARIABLE = "PROVISION_JOB";

/**
 * Says when the timer that started the run starts the job ({@link writeSchedule}). The job's configuration leaves that out, so that
 * a changed schedule changes the timer alone.
 */
export const SCHEDULE_VARIABLE = "PROVISION_SCHEDULE";

/** Names the file with the stack's secrets: a JSON object, by name. */
export const SECRETS_FILE_VARIABLE = "PROVISION_SECRETS_FILE";

/** The variable that holds a secret of the stack where there is no file, for instance on AWS. */
export function secretVariable(name: string): string {
  return `PROVISION_SECRET_${name}`;
}

/** The variable that holds an existing parameter of Systems Manager, with a hash as {@link arnVariable}. */
export function ssmVariable(name: string): string {
  return `PROVISION_SSM_${shortHash(name)}`;
}

/** The variable that holds an existing secret of AWS. Its name has a hash, since an ARN has characters that no variable may have. */
export function arnVariable(arn: string): string {
  return `PROVISION_ARN_${shortHash(arn)}`;
}

function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16).toUpperCase();
}

interface Schedule {
  readonly cron: string;
  readonly timezone: string;
}

/** A schedule as {@link SCHEDULE_VARIABLE} holds it: the five fields of cron, then the time zone. */
export function writeSchedule({ cron, timezone }: Schedule): string {
  return `${cron} ${timezone}`;
}

/** Reads what {@link writeSchedule} wrote. The job's schema checks both parts. */
export function readSchedule(text: string): Schedule {
  const fields = text.split(" ");
  return { cron: fields.slice(0, 5).join(" "), timezone: fields.slice(5).join(" ") };
}
