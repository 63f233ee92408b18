import type { Command } from "commander";
import { ProviderError, toProviderError, withFix, type ErrorCode } from "../../../providers/errors.ts";
import { listWhole } from "../../backups/catalogue/catalogue.ts";
import { chooseBackup } from "../../backups/catalogue/choose-backup.ts";
import { runCommand, type JobOptions } from "../command.ts";
import type { CopyOptions, CopyReport } from "../../operations/copy.ts";
import { decisiveError } from "../../run/decisive-error.ts";
import { EXIT, exitCodeOf } from "../../run/exit-codes.ts";
import { loadJob } from "../../run/job.ts";
import type { Run } from "../../run/run.ts";
import { bytes, counted } from "../../../providers/fields/sizes.ts";
import { findDestination, withDestination } from "./destination.ts";
import { examples } from "./examples.ts";
import { chosenIdentity, identityOption, type IdentityOptions } from "./identity.ts";
import { withTelemetry } from "./with-telemetry.ts";

interface Options extends JobOptions, IdentityOptions {
  readonly from?: string;
  readonly to?: string;
  readonly fromJob?: string;
  readonly all?: boolean;
}

/** A backup that could not be copied, and why. */
interface Failed {
  readonly id: string;
  readonly status: "failed";
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly fix?: string };
}

/** Adds `provision copy`. */
export function addCopy(program: Command): void {
  program
    .command("copy")
    .summary("copy backups from one store to another")
    .addHelpText(
      "before",
      examples(
        "provision copy --job app.json --from 0 --to 1    # the newest backup, from the first destination to the second",
        "provision copy --job app.json --from 0 --to 1 --all",
        "provision copy --job app.json --from-job former.json --from 0 --to 0 --all",
      ),
    )
    .description(
      "Copies a backup, or all of them, from one destination to another: how a job that changes its store keeps its " +
        "history. Every byte is compared with the manifest while it passes, and the copy is read back; what was found of a " +
        "backup earlier goes along. What is there already is skipped, and what an interrupted copy left is completed. " +
        "Nothing is decrypted, but where there is an identity the copies are verified in full with it.",
    )
    .argument("[id]", "the backup's id, or latest", "latest")
    .option("--all", "every backup of the job, the oldest first")
    .option("--from <destination>", "where from: the destination's number in the job, counted from 0, or its kind")
    .option("--to <destination>", "where to: a destination, named in the same way")
    .option("--from-job <file>", "look for --from in this job's configuration, for instance the one before a change")
    .addOption(identityOption())
    .action((id: string, _: unknown, command: Command) => {
      const options: Options = command.optsWithGlobals();
      return runCommand(options, EXIT.unexpected, async (run) => {
        const source =
          options.fromJob === undefined
            ? run
            : await run.forJob(await loadJob(options.fromJob, process.env), options.fromJob);
        const from = findDestination(source, "--from", options.from);
        const to = findDestination(run, "--to", options.to);
        if (source === run && from === to) {
          throw new ProviderError("CONFIG", `--from and --to are both destination ${from}.`, {
            fix: "Name two destinations. A store that the job no longer has is found with --from-job.",
          });
        }
        const { copyBackup } = await import("../../operations/copy.ts");
        const results = await withTelemetry(run, (telemetry) =>
          withDestination(source, from, (origin) =>
            withDestination(
              run,
              to,
              async (target) => {
                const common = {
                  from: { storage: origin, job: source.job },
                  to: { storage: target, job: run.job },
                  verify: { programs: run.job.database, identity: await chosenIdentity(run, options) },
                  telemetry,
                  signal: run.signal,
                };
                if (options.all) return copyAll(common, run, copyBackup);
                const backup = await chooseBackup(origin, source.job, id, run.signal);
                return [await copyBackup({ ...common, id: backup.id })];
              },
              true,
            ),
          ),
        );
        return {
          json: results,
          lines: results.length === 0 ? ["no backup to copy"] : results.flatMap(describe),
          exitCode: exitCode(results),
        };
      });
    });
}

/** Copies all backups. One that fails keeps none of the others from being copied. */
async function copyAll(
  options: Omit<CopyOptions, "id">,
  { log, signal }: Run,
  copy: (options: CopyOptions) => Promise<CopyReport>,
): Promise<(CopyReport | Failed)[]> {
  const results: (CopyReport | Failed)[] = [];
  for (const { id } of await listWhole(options.from.storage, options.from.job, signal)) {
    try {
      results.push(await copy({ ...options, id }));
    } catch (error) {
      if (signal.aborted) throw error;
      const { code, message, fix } = toProviderError(error);
      log.write("error", message, { backup: id, code });
      results.push({ id, status: "failed", error: { code, message, ...(fix === undefined ? {} : { fix }) } });
    }
  }
  return results;
}

function exitCode(results: readonly (CopyReport | Failed)[]): number {
  const damaged = results.some((result) =>
    result.status === "failed"
      ? result.error.code === "INTEGRITY"
      : ["damaged", "foreign", "unproven"].includes(result.verification?.outcome ?? ""),
  );
  if (damaged) return EXIT.verification;
  const failures = results.flatMap((result) => (result.status === "failed" ? [result.error] : []));
  const decisive = decisiveError(failures);
  if (decisive === undefined) return EXIT.done;
  if (failures.length < results.length) return EXIT.partial;
  return exitCodeOf(new ProviderError(decisive.code, decisive.message), EXIT.unexpected);
}

function describe(result: CopyReport | Failed): string[] {
  if (result.status === "failed") {
    return [`${result.id}: FAILED. ${withFix(result.error)}`];
  }
  const { id, from, to, status, copied, kept, verification } = result;
  if (status === "present") return [`${id}: ${to} has it already`];
  const facts = [`${counted(copied, "object")}, ${bytes(result.bytes)}, copied from ${from} to ${to}`];
  if (kept > 0) facts.push(`${kept} kept of an earlier attempt`);
  if (verification) facts.push(verification.outcome === "stored" ? "read back" : verification.outcome);
  const warnings = [...result.warnings, ...(verification?.warnings ?? [])];
  return [
    `${id}: ${facts.join("; ")}`,
    ...(verification?.problems ?? []).map((problem) => `  ${problem}`),
    ...warnings.map((warning) => `  warning: ${warning}`),
  ];
}
