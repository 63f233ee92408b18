import * as pulumi from "@pulumi/pulumi";
import type { ProgramSettings } from "../components/settings/program.ts";

/** The name of the secret that holds the database's URL. */
const URL_SECRET = "databaseUrl";

/** What both targets want to know of the one job that a component is. The analyzer takes no `readonly` lists. */
export interface JobArgs {
  /** The job's name: a part of names and of the backups' folder. */
  job: string;
  /** The database's URL, postgres://user:password@host/database. It is kept as a secret. */
  databaseUrl: pulumi.Input<string>;
  /** When it runs: five fields of cron. Default: only by hand. */
  cron?: string;
  /** The time zone of `cron`. Default UTC. */
  timezone?: string;
  /** How many of the newest backups are kept. */
  keepLast?: number;
  /** How many of the last backups of a day are kept. Without any number nothing is ever removed. */
  keepDaily?: number;
  /** age public keys: their owners alone can read the backups. Default: no encryption. */
  ageRecipients?: string[];
}

/** The settings of a job that keeps its backups in one destination. */
export function jobSettings(args: JobArgs, destination: ProgramSettings["jobs"][number]["destinations"][number]) {
  const { job, cron, timezone, keepLast, keepDaily, ageRecipients } = args;
  const kept = {
    ...(keepLast !== undefined && { last: keepLast }),
    ...(keepDaily !== undefined && { daily: keepDaily }),
  };
  return {
    secrets: { [URL_SECRET]: pulumi.secret(args.databaseUrl) },
    jobs: [
      {
        name: job,
        ...(cron !== undefined && { schedule: { cron, ...(timezone !== undefined && { timezone }) } }),
        database: { kind: "postgres", url: { secret: URL_SECRET } },
        destinations: [destination],
        ...(Object.keys(kept).length > 0 && { retention: kept }),
        ...(ageRecipients !== undefined && { encryption: { recipients: ageRecipients } }),
      },
    ],
  } satisfies ProgramSettings;
}
