import { tmpdir } from "node:os";
import { InvalidArgumentError, Option, type Command } from "commander";
import { DatabaseConfig, databaseProviders } from "../../providers/database/index.ts";
import type { SecretRef } from "../../providers/secret-ref.ts";
import { runCommand, type JobOptions } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { parseReference } from "../reference.ts";
import { restore, type Restored } from "../restore.ts";
import type { Run } from "../run.ts";
import { chosenDestinations, destinationOption, withDestination, type DestinationOptions } from "./destination.ts";
import { chosenIdentity, identityOption, type IdentityOptions } from "./identity.ts";

interface Options extends JobOptions, DestinationOptions, IdentityOptions {
  readonly to: string;
  readonly kind?: DatabaseConfig["kind"];
  readonly jobs: number;
  readonly scratch: string;
  readonly createRoles: boolean;
  readonly owner: boolean;
  readonly allowNonEmpty: boolean;
}

/** Adds `provision restore`. */
export function addRestore(program: Command): void {
  program
    .command("restore")
    .summary("restore a backup into a database")
    .description(
      "Restores a backup into an existing, empty database, completely or not at all: with one job in one transaction; " +
        "with more, under another name that the database bears until everything is there. Every byte is compared with " +
        "the manifest before anything is committed.",
    )
    .argument("[id]", "the backup's id, or latest", "latest")
    .requiredOption("--to <reference>", "URL of the target database: env:NAME, file:/path or secret:name")
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
    .option("--allow-non-empty", "restore into a database that already holds objects", false)
    .addOption(identityOption())
    .addOption(destinationOption())
    .action((id: string, _: unknown, command: Command) => {
      const options: Options = command.optsWithGlobals();
      return runCommand(options, EXIT.unexpected, async (run) => {
        const identity = await chosenIdentity(run, options);
        const target = await run.openDatabase(
          targetConfig(run, parseReference("--to", options.to), options.kind),
          "--to",
        );
        const [first = 0] = chosenDestinations(run, options);
        const restored = await withDestination(run, first, (storage) =>
          restore({
            storage,
            job: run.job,
            id,
            target,
            identity,
            options: {
              allowNonEmpty: options.allowNonEmpty,
              jobs: options.jobs,
              scratchDirectory: options.scratch,
              createRoles: options.createRoles,
              noOwner: !options.owner,
              signal: run.signal,
            },
          }),
        );
        return { json: restored, text: describe(restored), exitCode: EXIT.done };
      });
    });
}

/** The target is reached like the source, but for its address; another kind has nothing of the source's. */
function targetConfig({ job }: Run, url: SecretRef, kind: Options["kind"] = job.database.kind): DatabaseConfig {
  return DatabaseConfig.parse(kind === job.database.kind ? { ...job.database, url } : { kind, url });
}

function workers(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 64) return count;
  throw new InvalidArgumentError("It must be a whole number from 1 to 64.");
}

function describe({ id, from, database, snapshotTime, seconds, objects, rolesCreated, warnings }: Restored): string {
  return [
    `restored ${id} from ${from} into ${database}, ${seconds.toFixed(1)} s`,
    `  it shows the database as of ${snapshotTime}`,
    `  ${Object.entries(objects)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(", ")}`,
    ...(rolesCreated.length > 0 ? [`  roles created, without passwords: ${rolesCreated.join(", ")}`] : []),
    ...warnings.map((warning) => `  warning: ${warning}`),
  ].join("\n");
}
