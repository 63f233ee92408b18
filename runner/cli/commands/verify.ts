import { InvalidArgumentError, Option, type Command } from "commander";
import { ProviderError } from "../../../providers/errors.ts";
import { listWhole } from "../../backups/catalogue/catalogue.ts";
import { choose, placeOf } from "../../backups/catalogue/choose-backup.ts";
import { runCommand, type JobOptions } from "../command.ts";
import { EXIT } from "../../run/exit-codes.ts";
import { sampleOf } from "../../backups/sample.ts";
import { FROM_MEMORY, verify, type Verification } from "../../operations/verify.ts";
import {
  describeFailed,
  destinationOption,
  inDestinations,
  type DestinationOptions,
  type FailedDestination,
} from "./destination.ts";
import { examples } from "./examples.ts";
import { chosenIdentity, identityOption, type IdentityOptions } from "./identity.ts";
import { withProgress } from "./with-progress.ts";

interface Options extends JobOptions, DestinationOptions, IdentityOptions {
  readonly all?: boolean;
  /** The share of the stored bytes to read, from 0 to 1. */
  readonly sample?: number;
}

const OUTCOMES: Record<Verification["outcome"], string> = {
  verified: "verified: read in full",
  damaged: "DAMAGED",
  unproven: "MAY BE FORGED",
  foreign: "NO BACKUP OF THIS JOB",
  stored:
    "NOT READ IN FULL: the stored bytes are what was written, and reading what is in them needs the private key: --identity, or " +
    "encryption.identity in the job",
};

/** Adds `provision verify`. */
export function addVerify(program: Command): void {
  program
    .command("verify")
    .summary("read a backup back in full")
    .addHelpText(
      "before",
      examples(
        "provision verify --job app.json --identity file:/safe/identity.txt",
        "provision verify 20261127T030000Z-1a2b3c --job app.json",
        "provision verify --job app.json --sample 5%",
      ),
    )
    .description(
      "Reads every object of a backup to its end, compares it with the manifest, decrypts and decompresses it, and has " +
        "pg_restore parse all of it. The outcome is recorded beside the backup. Ends with 5 if anything is damaged, with 1 if no store can be " +
        "reached, and with 3 if one of several cannot, or if a backup is encrypted and there is no private key to read it in full with.",
    )
    .argument("[id]", "the backup's id, or latest", "latest")
    .option("--all", "every backup of the job")
    .addOption(
      new Option(
        "--sample <percent>",
        "the backups that were read longest ago, up to a share of all stored bytes, for instance 5%",
      )
        .argParser(parseShare)
        .conflicts("all"),
    )
    .addOption(identityOption())
    .addOption(destinationOption())
    .action((id: string, _: unknown, command: Command) => {
      const options: Options = command.optsWithGlobals();
      return runCommand(options, EXIT.unexpected, async (run) => {
        const { job, signal } = run;
        const several = options.all === true || options.sample !== undefined;
        const identity = await chosenIdentity(run, options);
        const unread: FailedDestination[] = [];
        const { results, failed: away } = await inDestinations(run, options, async (storage) => {
          const one = several ? undefined : choose(job, [await placeOf(storage, job, id, signal)], id);
          const backups = one ? [one.backup] : await listWhole(storage, job, signal);
          const chosen = options.sample === undefined ? backups : sampleOf(backups, options.sample);
          const verifications: (Verification & { destination: string })[] = [];
          const common = { storage, job, programs: job.database, fileKeyOf: () => identity, signal };
          for (const [index, { id: each }] of chosen.entries()) {
            const step = several ? `verify ${index + 1} of ${chosen.length}` : "verify";
            try {
              const verification = await withProgress(run, step, (progress) =>
                verify({ ...common, id: each, progress }),
              );
              const warnings = [...(one?.notUsed ?? []), ...(verification.warnings ?? [])];
              const told = { ...verification, ...(warnings.length > 0 && { warnings }) };
              verifications.push({ destination: storage.description, ...told });
            } catch (error) {
              // One that was pruned since, or is of a newer version, says nothing of the others.
              if (!several || !(error instanceof ProviderError && ["CONFIG", "NOT_FOUND"].includes(error.code)))
                throw error;
              const { code, message, fix } = error;
              unread.push({
                destination: `${each} in ${storage.description}`,
                error: { code, message, ...(fix === undefined ? {} : { fix }) },
              });
            }
          }
          return verifications;
        });
        const flat = results.flat();
        const failed = [...away, ...unread];
        return {
          json: [...flat, ...failed],
          lines: [
            ...flat.flatMap(({ destination, id: backup, outcome, fromMemory, problems, warnings = [] }) => [
              `${backup} in ${destination}: ${OUTCOMES[outcome]}${fromMemory ? `, ${FROM_MEMORY}` : ""}`,
              ...problems.map((problem) => `  ${problem}`),
              ...warnings.map((warning) => `  warning: ${warning}`),
            ]),
            ...describeFailed(failed),
          ],
          exitCode: flat.some(({ outcome }) => ["damaged", "foreign", "unproven"].includes(outcome))
            ? EXIT.verification
            : failed.length > 0 || flat.some(({ outcome }) => outcome === "stored")
              ? EXIT.partial
              : EXIT.done,
        };
      });
    });
}

/** `5%` as a share. */
function parseShare(text: string): number {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  const share = Number(percent) / 100;
  if (share > 0 && share <= 1) return share;
  throw new InvalidArgumentError("Expected a percentage of more than 0% and at most 100%, like 5%.");
}
