import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { InvalidArgumentError, Option, type Command } from "commander";
import { DatabaseConfig, databaseProviders } from "../../../providers/database/index.ts";
import { ProviderError } from "../../../providers/errors.ts";
import { filesAt } from "../../../providers/files/index.ts";
import type { SecretRef } from "../../../providers/fields/secret-ref.ts";
import { choose, placeOf, type Chosen, type Place } from "../../backups/catalogue/choose-backup.ts";
import { runCommand, type JobOptions } from "../command.ts";
import type { Display } from "../../run/display.ts";
import { EXIT } from "../../run/exit-codes.ts";
import type { FilesTarget, RestoredFiles } from "../../operations/files/restore-files.ts";
import { parseReference } from "../reference.ts";
import { requireProven } from "../../backups/documents/proof.ts";
import type { Restored, RestoreRequest } from "../../operations/restore.ts";
import type { Run } from "../../run/run.ts";
import { bytes, counted } from "../../../providers/fields/sizes.ts";
import {
  describeFailed,
  destinationOption,
  inDestinations,
  orElsewhere,
  withDestination,
  type DestinationOptions,
} from "./destination.ts";
import { acceptUnprovenOption, trustStoreOption } from "./trust.ts";
import { examples } from "./examples.ts";
import { chosenIdentity, identityOption, type IdentityOptions } from "./identity.ts";
import { withProgress } from "./with-progress.ts";

interface Options extends JobOptions, DestinationOptions, IdentityOptions {
  readonly to?: string;
  readonly auth: boolean;
  readonly files?: string;
  readonly filesKey?: string;
  readonly bucket?: string[];
  readonly kind?: DatabaseConfig["kind"];
  readonly jobs: number;
  readonly scratch: string;
  readonly createRoles: boolean;
  readonly owner: boolean;
  readonly tablespaces: boolean;
  readonly strict: boolean;
  readonly allowNonEmpty: boolean;
  readonly database?: string;
  readonly confirm?: string;
  readonly dryRun: boolean;
  readonly acceptUnproven: boolean;
  readonly acceptSuspicious: boolean;
  readonly trustStore: boolean;
}

/** Adds `provision restore`. */
export function addRestore(program: Command): void {
  program
    .command("restore")
    .summary("restore a backup into a database")
    .addHelpText(
      "before",
      examples(
        "provision restore --job app.json --to env:TARGET --dry-run    # the variable TARGET has the URL of an empty database",
        "provision restore --job app.json --to env:TARGET --create-roles",
        "provision restore --job app.json --to env:TARGET --identity file:/safe/identity.txt",
        "provision restore --job app.json --files ./files    # the files alone",
      ),
    )
    .description(
      "Restores a backup into an existing, empty database, completely or not at all: with one job in one transaction; " +
        "with more, under another name that the database bears until everything is there. All of it is read and compared with " +
        "the manifest before anything of it is decoded, and then read again. A Supabase project is restored into a new project, which must be " +
        "confirmed, and compared with the backup afterwards: it ends with 5 where anything differs. With --files, restores " +
        "the backup's files, alone or after the database.",
    )
    .argument("[id]", "the backup's id, or latest", "latest")
    .option("--to <reference>", "URL of the target database: env:NAME, file:/path or secret:name")
    .option("--no-auth", "connect with the password in the target's URL, where the job's database has auth")
    .option("--files <target>", "a folder for the files, or the URL of a Supabase project")
    .option(
      "--files-key <reference>",
      "the project's secret key: env:NAME, file:/path or secret:name (default: the job's)",
    )
    .option("--bucket <names...>", "only the files of these buckets")
    .addOption(
      new Option("--kind <kind>", "kind of the target (default: the job's)").choices(Object.keys(databaseProviders)),
    )
    .option(
      "--jobs <number>",
      "parallel workers; more than one need scratch space for the decompressed dump",
      workers,
      1,
    )
    .option("--scratch <folder>", "folder for the scratch file of a parallel restore", tmpdir())
    .option("--create-roles", "create the roles that the target's server lacks, without passwords", false)
    .option("--no-owner", "restore neither owners nor privileges")
    .option("--no-tablespaces", "restore everything into the database's default tablespace")
    .option(
      "--strict",
      "of a Supabase project: end at the first thing that the server refuses, and restore nothing",
      false,
    )
    .option("--allow-non-empty", "restore into a database that already holds objects", false)
    .option("--database <name>", "which database, of a backup of several")
    .option(
      "--confirm <reference>",
      "the Supabase project to restore into, by its reference: nothing happens without it",
    )
    .option("--dry-run", "check everything and print the plan, but change nothing", false)
    .addOption(acceptUnprovenOption())
    .option(
      "--accept-suspicious",
      "restore the backup although it has lost something compared with earlier ones",
      false,
    )
    .addOption(trustStoreOption())
    .addOption(identityOption())
    .addOption(destinationOption())
    .action((id: string, _: unknown, command: Command) => {
      const options: Options = command.optsWithGlobals();
      return runCommand(options, EXIT.unexpected, async (run, display) => {
        if (options.to === undefined && options.files === undefined) {
          throw new ProviderError("CONFIG", "There is nothing to restore into.", {
            fix: "Give --to with a reference to the URL of an empty database, --files with a folder or a project, or both.",
          });
        }
        const to = options.to === undefined ? undefined : parseReference("--to", options.to);
        const identity = await chosenIdentity(run, options);
        const chosen = await find(run, options, id);
        const { index } = chosen.place;
        const { database, files } = await withDestination(run, index, async (storage) => {
          const common = { storage, job: chosen.job, id: chosen.backup.id, identity };
          // What is wrong with the files or their target must be known before the database is restored, which is there to stay.
          if (to !== undefined) await restoreToTarget(run, { ...options, dryRun: true }, common);
          const database = to === undefined ? undefined : await restoreDatabase(run, options, to, common);
          return { database, files: await restoreToTarget(run, options, common) };
        }).catch((error: unknown) => {
          // What fails later may be the target's fault, but for a backup that is damaged.
          const damaged = error instanceof ProviderError && error.code === "INTEGRITY";
          throw damaged ? orElsewhere(run, options, index, error) : error;
        });
        const differs = (database?.differences ?? []).length > 0;
        const failed = files?.failed.length ?? 0;
        return {
          json: { ...database, ...(files ? { files } : {}), chosen: shown(chosen) },
          lines: [
            ...describeChoice(chosen),
            ...(database ? describe(database, options.dryRun, display) : []),
            ...(files ? describeFiles(files) : []),
          ],
          exitCode: differs ? EXIT.verification : failed > 0 ? EXIT.partial : EXIT.done,
        };
      });
    });
}

/** A destination whose backups were listed. */
type Listed = Place & { readonly index: number };

/** The backup to restore, and why it is that one. */
type Found = Chosen<Listed> & { readonly why: string };

/**
 * Chooses among the backups of all destinations, or of the chosen one. One that cannot be read is told of, and the others are used.
 *
 * @throws ProviderError `CONFLICT` where the backup is suspicious, and that is not accepted.
 */
async function find(run: Run, options: Options, id: string): Promise<Found> {
  const list = (wanted: string) =>
    inDestinations(run, options, async (storage, index): Promise<Listed> => ({
      index,
      ...(await placeOf(storage, run.job, wanted, run.signal)),
    }));
  const { results: places, failed } = await list(id);
  const notRead = describeFailed(failed);
  let chosen: Chosen<Listed>;
  try {
    chosen = choose(run.job, places, id, options.acceptUnproven);
    if (!options.acceptUnproven) requireProven(run.job, chosen.backup);
  } catch (error) {
    if (failed.length === 0 || !(error instanceof ProviderError)) throw error;
    const { code, message, fix } = error;
    throw new ProviderError(code, message, { cause: error, details: notRead, ...(fix === undefined ? {} : { fix }) });
  }
  if (chosen.losses.length > 0 && !options.acceptSuspicious) {
    throw suspicious(chosen, id === "latest" ? chosen : choose(run.job, (await list("latest")).results, "latest"));
  }
  const where = places.map(({ description }) => description).join(" and ");
  return {
    ...chosen,
    notUsed: [...chosen.notUsed, ...notRead.map((what) => `not read, and may have a newer one: ${what}`)],
    why: id === "latest" ? `the newest good backup in ${where}` : "as its id was given",
  };
}

function suspicious({ backup: { id }, place, losses }: Chosen, { trusted }: Chosen): ProviderError {
  const other = trusted
    ? `Or restore the newest without suspicion: provision restore ${trusted.id} …`
    : "There is none without suspicion.";
  return new ProviderError(
    "CONFLICT",
    `The backup ${id} in ${place.description} has lost something: nothing was restored.`,
    {
      details: losses.slice(0, LOSSES).map((loss) => `  ${loss}`),
      fix: `If it is the one to restore: provision restore ${id} --accept-suspicious …. ${other}`,
    },
  );
}

/** Losses of a suspicious backup that are named: a schema that is dropped may have had thousands of tables. */
const LOSSES = 20;

/** The choice as `--json` prints it. */
function shown({ backup: { id, state }, place, why, notUsed, losses }: Found) {
  return {
    ...{ id, state, from: place.description, destination: place.index, why, notUsed },
    ...(losses.length > 0 && { suspicious: losses }),
  };
}

/** The choice for people: nothing where it is what anybody expects. */
function describeChoice({ backup: { id }, place, why, notUsed, losses }: Found): string[] {
  if (notUsed.length + losses.length === 0) return [];
  return [
    `chosen: ${id} in ${place.description}, ${why}`,
    ...notUsed.map((line) => `  ${line}`),
    ...losses.slice(0, LOSSES).map((loss) => `  suspicious: ${loss}`),
  ];
}

/** Where from, and with which key. */
type Source = Pick<RestoreRequest, "storage" | "job" | "id" | "identity">;

async function restoreDatabase(run: Run, options: Options, to: SecretRef, source: Source): Promise<Restored> {
  const { restore } = await import("../../operations/restore.ts");
  const target = await run.openDatabase(targetConfig(run, to, options), "--to");
  return withProgress(run, "restore", (progress) =>
    restore({
      ...source,
      target,
      database: options.database,
      progress,
      trustStore: options.trustStore,
      options: {
        allowNonEmpty: options.allowNonEmpty,
        jobs: options.jobs,
        scratchDirectory: options.scratch,
        createRoles: options.createRoles,
        noOwner: !options.owner,
        noTablespaces: !options.tablespaces,
        strict: options.strict,
        confirm: options.confirm,
        dryRun: options.dryRun,
        signal: run.signal,
      },
    }),
  );
}

async function restoreToTarget(run: Run, options: Options, source: Source): Promise<RestoredFiles | undefined> {
  if (options.files === undefined) return undefined;
  const { restoreFiles } = await import("../../operations/files/restore-files.ts");
  const target = await filesTarget(run, options.files, options.filesKey);
  try {
    const { bucket: buckets, dryRun } = options;
    return await withProgress(run, "restore files", (progress) =>
      restoreFiles({ ...source, target, buckets, dryRun, progress, signal: run.signal }),
    );
  } finally {
    await target.close();
  }
}

async function filesTarget(run: Run, target: string, key: string | undefined): Promise<FilesTarget> {
  if (!/^https?:\/\//.test(target)) {
    const { folderTarget } = await import("../../operations/files/folder-target.ts");
    return folderTarget(resolve(target));
  }
  const reference = key === undefined ? run.job.files?.key : parseReference("--files-key", key);
  if (reference === undefined) {
    throw new ProviderError("CONFIG", "The key of the project to restore files into is missing.", {
      fix: "Give --files-key with a reference to its secret key: env:NAME, file:/path or secret:name.",
    });
  }
  return run.openFiles(filesAt(target, reference, run.job.files), "--files");
}

/** The target is reached like the source, but for its address; another kind has nothing of the source's. */
function targetConfig({ job: { database } }: Run, url: SecretRef, { kind, auth }: Options): DatabaseConfig {
  if (kind !== undefined && kind !== database.kind) return DatabaseConfig.parse({ kind, url });
  const fields = Object.entries(database).filter(([field]) => auth || field !== "auth");
  return DatabaseConfig.parse({ ...Object.fromEntries(fields), url });
}

function workers(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 64) return count;
  throw new InvalidArgumentError("It must be a whole number from 1 to 64.");
}

function describe(restored: Restored, dryRun: boolean, { moment }: Display): string[] {
  const { id, from, database, snapshotTime, seconds, objects, rolesCreated, warnings } = restored;
  const list = (title: string, lines: readonly string[] = []): string[] =>
    lines.length === 0 ? [] : [`  ${title}:`, ...lines.map((line) => `    ${line}`)];
  return [
    dryRun
      ? `would restore ${id} from ${from} into ${database}; nothing was changed`
      : `restored ${id} from ${from} into ${database}, ${seconds.toFixed(1)} s`,
    `  it shows the database as of ${moment(snapshotTime, new Date(snapshotTime))}`,
    ...list(dryRun ? "the plan" : "what was done", restored.steps),
    ...list(
      "not in the backup",
      restored.omitted?.map(({ artifact, reason }) => `${artifact}: ${reason}`),
    ),
    ...list("deliberately not restored", restored.leftOut),
    ...list("refused by the server", restored.refused),
    ...list("compared with the backup", restored.compared),
    ...list("DIFFERENT from the backup", restored.differences),
    ...(Object.keys(objects).length === 0
      ? []
      : [
          `  ${Object.entries(objects)
            .map(([kind, count]) => counted(count, kind))
            .join(", ")}`,
        ]),
    ...(rolesCreated.length > 0 ? [`  roles created, without passwords: ${rolesCreated.join(", ")}`] : []),
    ...warnings.map((warning) => `  warning: ${warning}`),
  ];
}

function describeFiles(restored: RestoredFiles): string[] {
  const { id, from, to, files, bytes: size, existing, failed, altered, warnings, plan, seconds } = restored;
  const what = `${counted(files, "file")} (${bytes(size)}) of ${id} from ${from} to ${to}`;
  return [
    plan ? `would restore ${what}; nothing was written` : `restored ${what}, ${seconds.toFixed(1)} s`,
    ...(plan ?? []).map((line) => `  ${line}`),
    ...(existing > 0 ? [`  ${existing} were there already, and are as they were`] : []),
    ...altered.map(({ file, how }) => `  altered: ${file}: ${how}`),
    ...failed.map(({ file, message }) => `  failed: ${file}: ${message}`),
    ...warnings.map((warning) => `  warning: ${warning}`),
  ];
}
