import { z } from "zod";
import { isAgeRecipient } from "./fields/age-recipient.ts";
import { Compression } from "./fields/compression.ts";
import {
  databaseProviders,
  DatabaseConfig,
  drillConfig,
  drillServerFields,
  needsEncryption,
} from "./database/index.ts";
import { parseCron } from "./fields/cron.ts";
import type { Access, DeployedTask, Lack, PolicyStatement } from "./definition.ts";
import { FilesConfig, filesProviders } from "./files/index.ts";
import { Name, Rename } from "./fields/job-name.ts";
import { monitorProviders, MonitorConfig } from "./monitor/index.ts";
import { referencesIn, SecretRef } from "./fields/secret-ref.ts";
import { DrillCheck } from "./fields/drill-check.ts";
import { SHORT_DURATION } from "./fields/duration.ts";
import { Retention } from "./fields/retention.ts";
import { placeOf, storageProviders, StorageConfig } from "./storage/index.ts";
import { timeZoneFault } from "./fields/time-zone.ts";

export { exampleAt, explain } from "./explain.ts";
export type { Problem } from "./explain.ts";
export type { DrillCheck } from "./fields/drill-check.ts";
export type { Retention } from "./fields/retention.ts";
export { parseDuration } from "./fields/duration.ts";
export { closest } from "./explain/closest.ts";
export type { Access, PolicyStatement } from "./definition.ts";
export { firstName, underFirstName, type JobNames } from "./fields/job-name.ts";
export { SecretName } from "./fields/secret-ref.ts";

/** What is wrong with a cron expression, as what would be right; undefined where nothing is. */
function cronFault({ input }: { readonly input?: unknown }): string | undefined {
  try {
    if (!/^\S+( \S+){4}$/.test(String(input))) return "expected the five fields of cron: minute hour day month weekday";
    parseCron(String(input));
    return undefined;
  } catch (error) {
    return `expected a time of cron: ${(error as Error).message}`;
  }
}

/** When a job runs. */
export const Schedule = z
  .strictObject({
    cron: z
      .string()
      .regex(/^[\d*,/-]+( [\d*,/-]+){2}( [\w*,/-]+){2}$/, { error: cronFault, abort: true })
      .refine((cron) => cronFault({ input: cron }) === undefined, { error: cronFault })
      .describe("Five fields: minute, hour, day of the month, month, day of the week.")
      .meta({ examples: ["0 3 * * *"] }),
    timezone: z
      .string()
      .refine((zone) => timeZoneFault(zone) === undefined, { error: ({ input }) => timeZoneFault(String(input)) })
      .default("UTC")
      .describe("IANA time zone in which the fields are read. Default UTC.")
      .meta({ examples: ["America/Sao_Paulo"] }),
  })
  .meta({ id: "Schedule" });

/** Who can decrypt. */
const Encryption = z
  .strictObject({
    recipients: z
      .array(
        z
          .string()
          .regex(/^age1[a-z0-9]+$/, { error: "expected an age public key, which starts with age1", abort: true })
          .refine(isAgeRecipient, {
            error: "expected an age public key as age-keygen printed it; a typing error breaks its checksum",
          }),
      )
      .min(1)
      .describe("age public keys; each of their owners alone can decrypt. Made with `age-keygen`.")
      .meta({ examples: [["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]] }),
    identity: SecretRef.optional().describe(
      "The private key of one recipient, for `verify` and `restore`. A backup does not need it: leave it out where the " +
        "machine that writes backups must not be able to read them.",
    ),
  })
  .meta({ id: "Encryption" });

/** What proves that a backup is the stack's own. */
export const Signing = z
  .strictObject({
    key: SecretRef.describe(
      "The key with which manifests and records are signed, and told from forged ones: 64 hexadecimal digits, as of " +
        "`openssl rand -hex 32`, or a key that `pulumi up` has made.",
    ),
    formerKeys: z
      .array(SecretRef)
      .min(1)
      .max(16)
      .optional()
      .describe("Keys that were used before, for what they have signed. Default: none."),
    since: z.iso
      .datetime()
      .optional()
      .describe(
        "Since when everything is signed. A backup without a signature that was begun before is reported as unsigned, a later one " +
          "as forged. Default: when the key was made, which one of `pulumi up` says itself.",
      )
      .meta({ examples: ["2026-12-01T00:00:00Z"] }),
  })
  .meta({ id: "Signing" });

/** What proves that a backup is the stack's own; see the schema of the same name. */
export type Signing = z.output<typeof Signing>;

/** A duration that a job promises. */
const objective = (meaning: string) =>
  z
    .string()
    .regex(SHORT_DURATION, {
      error: "expected a number of seconds, minutes, hours, days or weeks, like 90s, 30m, 24h, 2d or 1w",
    })
    .optional()
    .describe(`${meaning}. Seconds (s), minutes (m), hours (h), days (d) or weeks (w). Default: none.`)
    .meta({ examples: ["24h"] });

/** The fields of a job. */
const Settings = z.strictObject({
  name: Name.describe("The job's name, unique in its stack.").meta({ examples: ["app"] }),
  rename: Rename.optional().describe(
    "The names that the job had before. Its backups stay in the folder of the first one. Keep this for as long as the job exists. Default: none.",
  ),
  schedule: Schedule.optional().describe("When it runs. Left out: only by hand."),
  database: DatabaseConfig.describe("What is backed up."),
  files: FilesConfig.optional().describe(
    "Files that are backed up beside the database, into the same destinations. Left out: none.",
  ),
  destinations: z
    .array(StorageConfig)
    .min(1)
    .max(8)
    .describe("Where backups are kept: each destination gets a whole copy, all in one pass."),
  encryption: Encryption.optional().describe("Encrypts with age before anything leaves the runner. Default: none."),
  signing: Signing.optional().describe(
    "Signs manifests and records, so that what somebody else has put into a store is reported. Default: the stack's " +
      "(provision:signing), whose key `pulumi up` makes; a job without a stack signs nothing.",
  ),
  compression: Compression,
  retention: Retention.optional().describe("Which backups prune keeps. Left out: nothing is ever pruned."),
  verify: z
    .boolean()
    .default(true)
    .describe("Read every backup back in full after it is written. Default true. Without it nothing is ever pruned."),
  objectives: z
    .strictObject({
      recoveryPoint: objective("How old the newest verified backup may be: `list` and `doctor` say when it is older"),
      recoveryTime: objective("How long a restore may take: a drill that takes longer ends with 5"),
    })
    .optional()
    .describe("What the job promises: `list`, `doctor`, reports and drills compare it with the proof. Default: none."),
  anomalies: z
    .union([
      z.literal("off"),
      z.strictObject({
        factor: z
          .number()
          .min(1.1)
          .max(1000)
          .default(3)
          .describe("How many times more or less than the median of the last ten backups is far from usual. Default 3.")
          .meta({ examples: [2] }),
      }),
    ])
    .optional()
    .describe(
      "When a backup's size, its duration or a table's rows count as far from usual. The run then warns, and for a backup that has lost " +
        "something no earlier one is pruned. Default: a factor of 3. off: nothing is compared.",
    ),
  timeoutMinutes: z
    .int()
    .min(1)
    .max(20_160)
    .default(1_440)
    .describe("Minutes after which a run is ended cleanly. Default 1440, a day.")
    .meta({ examples: [120] }),
  prune: z
    .strictObject({ schedule: Schedule.describe("When it runs.") })
    .optional()
    .describe(
      "When backups are pruned, on a target where that is a task of its own because the role that writes backups must not " +
        "delete them (aws). Default: the target decides. Elsewhere each backup prunes at its end, and this changes nothing.",
    ),
  drill: z
    .strictObject({
      schedule: Schedule.optional().describe("When it runs. Left out: only by hand, with `provision drill`."),
      target: SecretRef.optional().describe(
        "Connection URL of a PostgreSQL server where a scratch database may be created and dropped, at least as new as the " +
          "database's own. Its database is only connected to. The role needs CREATEDB, and CREATEROLE where the server " +
          "lacks roles of the backup, and must be no superuser. Default: the runner starts a server for the drill, from the newest server programs on its " +
          "machine, in the scratch folder.",
      ),
      ...drillServerFields,
      acceptSharedUser: z
        .boolean()
        .optional()
        .describe(
          "Drill although code of the backup, as in a table's CHECK, may then reach what it must not: with the runner's own server where " +
            "that can only run as the runner's user, so that it may read the runner's secrets; or with a target whose role is a superuser, " +
            "so that it may run programs there. Default false: such a drill ends with 2.",
        )
        .meta({ examples: [true] }),
      checks: z
        .array(DrillCheck)
        .min(1)
        .optional()
        .describe("Questions to the restored database, whose answers a good backup must give. Default: none."),
    })
    .refine((drill) => drill.target !== undefined || !Object.keys(drillServerFields).some((field) => field in drill), {
      error: `expected target as well: ${Object.keys(drillServerFields).join(", ")} say how to connect to it`,
    })
    .optional()
    .describe("Restores the newest verified backup into a scratch database and compares the two. Left out: no drills."),
  report: z
    .strictObject({
      schedule: Schedule.describe("When it runs."),
      publish: z
        .literal(true)
        .describe("Stores the report's page in each destination, signed where the job has a key."),
      keep: z
        .int()
        .min(1)
        .optional()
        .describe("How many pages stay in each destination: publishing removes older ones. Default 30.")
        .meta({ examples: [52] }),
    })
    .optional()
    .describe(
      "Publishes on a schedule what is recoverable, and what proves it (`provision report --publish`). Left out: only by hand.",
    ),
  monitor: z
    .union([MonitorConfig.transform((monitor) => [monitor]), z.array(MonitorConfig)])
    .default([])
    .describe("Monitors that hear how a run went, beside the log: one, or a list of them. Default: nobody."),
});

/** What a person writes for a job in `provision:jobs`. */
export const JobSettings = Settings.refine(
  ({ database, encryption }) => encryption !== undefined || needsEncryption(database) === undefined,
  {
    error: ({ input }) =>
      `expected encryption.recipients, because ${needsEncryption((input as z.output<typeof Settings>).database) ?? ""}`,
    path: ["encryption"],
  },
).refine(({ verify, retention }) => verify || retention === undefined, {
  error: "expected true, or no retention: nothing is pruned of a job whose backups are not read back",
  path: ["verify"],
});

/** What a person writes for a job; see the schema of the same name. */
export type JobSettings = z.output<typeof JobSettings>;

/**
 * The contract between the two halves: what the stack writes and the runner reads, as JSON. It holds references to
 * secrets and never a secret.
 */
export const JobConfig = JobSettings.extend({
  $schema: z
    .string()
    .optional()
    .describe("Where an editor finds this schema, which `provision schema` prints. The runner ignores it.")
    .meta({ examples: ["./job.schema.json"] }),
  stack: Name.describe("The stack's name: with the job's, the folder of its backups.").meta({ examples: ["prod"] }),
  owner: z
    .strictObject({
      id: z
        .string()
        .regex(/^[0-9a-f]{32}$/, { error: "expected 32 hexadecimal digits" })
        .describe("Made once, and kept by the stack."),
      name: z.string().min(1).max(300).describe("The project and the stack, for messages."),
    })
    .optional()
    .describe(
      "Whose backups the job's folder has: a run ends where the folder is another stack's. Written by `pulumi up`. Default: nobody's.",
    ),
})
  .superRefine(({ destinations }, context) => {
    for (const [index, first] of sameDestinations(destinations)) {
      const path = ["destinations", index];
      const message = `expected a place of its own, and not that of destinations[${first}]`;
      context.addIssue({ code: "custom", path, message, input: destinations[index] });
    }
  })
  .meta({ id: "JobConfig", title: "A backup job of Provision" });

/** The contract; see the schema of the same name. */
export type JobConfig = z.output<typeof JobConfig>;

/** Destinations that are in the same place as an earlier one: the number of each, and that of the earlier one. */
export function sameDestinations(destinations: readonly StorageConfig[]): [index: number, first: number][] {
  const places = destinations.map(placeOf);
  return places.flatMap((place, index): [number, number][] => {
    const first = places.indexOf(place);
    return first < index ? [[index, first]] : [];
  });
}

/** A secret that a job refers to, and where it does. */
export interface JobSecret {
  /** Path in the job's configuration, for messages. */
  readonly path: readonly (string | number)[];
  readonly ref: SecretRef;
}

/** All references to secrets that a job holds. */
export function jobSecrets(job: JobSettings): JobSecret[] {
  const found = (path: readonly (string | number)[], config: object, fields: readonly string[]): JobSecret[] =>
    referencesIn(config, fields).map(([field, ref]) => ({ path: [...path, ...field.split(".")], ref }));
  return [
    ...found(["database"], job.database, databaseProviders[job.database.kind].secrets),
    ...(job.files ? found(["files"], job.files, filesProviders[job.files.kind].secrets) : []),
    ...job.destinations.flatMap((destination, index) =>
      found(["destinations", index], destination, storageProviders[destination.kind].secrets),
    ),
    ...found(["encryption"], job.encryption ?? {}, ["identity"]),
    ...found(["signing"], job.signing ?? {}, ["key"]),
    ...(job.signing?.formerKeys ?? []).map((ref, index) => ({ path: ["signing", "formerKeys", index], ref })),
    ...found(["drill"], job.drill ?? {}, ["target"]),
    ...job.monitor.flatMap((monitor, index) =>
      found(["monitor", index], monitor, monitorProviders[monitor.kind].secrets),
    ),
  ];
}

/** What all providers of a job declare that the role of one of its tasks on AWS must be allowed to do. */
export function jobPermissions(job: JobConfig, task: Omit<DeployedTask, "stack" | "job">): PolicyStatement[] {
  const about: DeployedTask = { ...task, stack: job.stack, job: job.name };
  return [
    ...databases(job, task.access).map(([, config, kind]) => [config, kind] as const),
    ...declarations(job),
  ].flatMap(([config, kind]) => kind.permissions?.(config as never, about) ?? []);
}

/** What a job has to say besides where it is deployed to AWS; the fields are paths in the job. */
export function lacksOnAws(job: JobSettings): Lack[] {
  return databases(job).flatMap(([part, config, kind]) => {
    const lack = kind.lacksOnAws?.(config as never);
    return lack === undefined ? [] : [{ ...lack, field: `${part}.${lack.field}` }];
  });
}

/** The TCP ports that a job's providers declare to connect to, sorted, without 443, which is always open. */
export function jobPorts(job: JobSettings): number[] {
  const all = [[job.database, databaseProviders[job.database.kind]] as const, ...declarations(job)];
  const ports = all.flatMap(([config, kind]) => kind.ports?.(config as never) ?? []);
  return [...new Set(ports)].filter((port) => port !== 443).sort((a, b) => a - b);
}

/** The databases that a job's tasks with an access connect to: where each stands in the job, and what its kind declares. */
function databases({ database, drill }: JobSettings, access: Access = "read") {
  const of = (part: string, config: DatabaseConfig | undefined, connected: readonly Access[]) =>
    config === undefined || !connected.includes(access)
      ? []
      : [[part, config, databaseProviders[config.kind]] as const];
  return [
    ...of("database", database, ["backup", "read"]),
    // By hand, what reads restores anywhere.
    ...of("drill", drill && drillConfig(database, drill), ["drill", "read"]),
  ];
}

/** The configuration of each other provider of a job, with what its kind declares. */
function declarations(job: JobSettings) {
  return [
    ...(job.files ? [[job.files, filesProviders[job.files.kind]] as const] : []),
    ...job.destinations.map((config) => [config, storageProviders[config.kind]] as const),
    ...job.monitor.map((config) => [config, monitorProviders[config.kind]] as const),
  ];
}
