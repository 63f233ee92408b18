import { rename, rm, writeFile } from "node:fs/promises";
import { extname } from "node:path";
import { InvalidArgumentError, Option, type Command } from "commander";
import { SCHEDULE_VARIABLE } from "../../../providers/environment.ts";
import { ProviderError, withFix } from "../../../providers/errors.ts";
import { runCommand, type JobOptions } from "../command.ts";
import type { Display } from "../../run/display.ts";
import { EXIT } from "../../run/exit-codes.ts";
import { loadJob } from "../../run/job.ts";
import type { JobContents } from "../../operations/report/build.ts";
import type { Report } from "../../operations/report/report.ts";
import type { ReportSigner } from "../../operations/report/signature.ts";
import type { Run } from "../../run/run.ts";
import { chosenDestinations, inDestinations } from "./destination.ts";
import { examples } from "./examples.ts";

/** The forms of a report. */
const FORMATS = ["html", "markdown", "json"] as const;
type Format = (typeof FORMATS)[number];

/** Published pages that stay where neither the command line nor the job says how many: of a weekly report, those of half a year. */
const KEPT_PAGES = 30;

/** The form by the ending of a file's name. */
const ENDINGS: Readonly<Record<string, Format>> = {
  ".html": "html",
  ".htm": "html",
  ".md": "markdown",
  ".markdown": "markdown",
  ".json": "json",
};

interface Options extends JobOptions {
  readonly all?: readonly string[];
  readonly out?: string;
  readonly format?: Format;
  readonly publish: boolean;
  readonly keep?: number;
  readonly sign: boolean;
  readonly publicKey: boolean;
}

/** Adds `provision report`. */
export function addReport(program: Command): void {
  program
    .command("report")
    .summary("show what is recoverable, and what proves it")
    .addHelpText(
      "before",
      examples(
        "provision report --job app.json --out report.html",
        "provision report --all jobs/*.json --out stack.html --sign",
        "provision report --job app.json --public-key > allowed_signers    # once, for those who check",
        "ssh-keygen -Y verify -f allowed_signers -I prod -n provision-report -s stack.html.sig < stack.html",
      ),
    )
    .description(
      "Writes up to which moment the job can be restored, what proves it and how long that stays so: a year's calendar, sizes and " +
        "durations, drills, copies with the rules that keep them, what no backup has, and the command to restore. It reads only the " +
        "manifests and records in the stores: the database may be gone, and its secret is not needed. Without --out it prints Markdown.",
    )
    .option("--out <file>", "write it there: .html (a page that needs nothing else), .md or .json")
    .addOption(new Option("--format <format>", "its form (default: by the file's ending)").choices(FORMATS))
    .option("--all <files...>", "one report on the jobs of these files")
    .option("--publish", "store the page in each destination, in the job's folder reports", false)
    .option(
      "--keep <pages>",
      `with --publish: how many pages stay there, the newest (default: the job's report.keep, or ${KEPT_PAGES})`,
      parsePages,
    )
    .option("--sign", "add a signature in a file beside it, which ssh-keygen checks", false)
    .option("--public-key", "print only the line for ssh-keygen's file of allowed signers", false)
    .addHelpText(
      "after",
      `
Missed runs are shown where the job's file has a schedule, or ${SCHEDULE_VARIABLE} has ("0 3 * * * Europe/Berlin").`,
    )
    .action((_: unknown, command: Command) => makeReport(command.optsWithGlobals()));
}

function makeReport(options: Options): Promise<never> {
  const { job, all = [], out } = options;
  const file = job ?? all[0];
  return runCommand({ ...options, ...(file !== undefined && { job: file }) }, EXIT.unexpected, async (run, display) => {
    const signer = options.sign || options.publicKey ? await signerOf(run) : undefined;
    if (signer && options.publicKey) {
      return { json: { allowedSigner: signer.allowedSigner }, lines: [signer.allowedSigner], exitCode: EXIT.done };
    }
    const format = formatOf(options);
    requireMeaning(options);
    const files = [...new Set([file, ...all])];
    const contents: JobContents[] = [];
    for (const each of files) {
      const one = each === file ? run : await run.forJob(await loadJob(each, process.env), each);
      contents.push(await readJob(one, each, files.length > 1));
    }
    const { buildReport } = await import("../../operations/report/build.ts");
    const report = run.withoutSecrets(buildReport(contents, new Date()));
    const written = out === undefined ? [] : await write(out, await render(report, format), signer);
    const { published, removed, warnings, problems } = options.publish
      ? await publish(run, report, signer, options.keep ?? run.job.report?.keep ?? KEPT_PAGES)
      : { published: [], removed: [], warnings: [], problems: [] };
    const partial = problems.length > 0 || contents.some(({ failed }) => failed.length > 0);
    const exitCode = partial ? EXIT.partial : EXIT.done;
    if (out === undefined && !options.publish) {
      return { json: report, lines: (await render(report, format, display)).trimEnd().split("\n"), exitCode };
    }
    const places = [...written, ...published];
    return {
      json: {
        ...{ headline: report.headline, written: places },
        ...(removed.length > 0 && { removed }),
        ...(warnings.length > 0 && { warnings }),
        ...(problems.length > 0 && { problems }),
      },
      lines: [
        report.headline,
        ...places.map((place) => `written: ${place}`),
        ...removed.map((place) => `removed: ${place}`),
        ...warnings,
        ...problems,
      ],
      exitCode,
    };
  });
}

function formatOf({ format, out }: Options): Format {
  if (format !== undefined) return format;
  if (out === undefined) return "markdown";
  const known = ENDINGS[extname(out).toLowerCase()];
  if (known) return known;
  throw new ProviderError("CONFIG", `The ending of ${out} names no form of a report.`, {
    fix: `Take ${Object.keys(ENDINGS).join(", ")}, or add --format ${FORMATS.join("|")}.`,
  });
}

function parsePages(text: string): number {
  const pages = Number(text);
  if (Number.isSafeInteger(pages) && pages >= 1) return pages;
  throw new InvalidArgumentError("It must be a whole number, at least 1.");
}

function requireMeaning({ sign, publish, keep, out, all = [] }: Options): void {
  if (keep !== undefined && !publish) {
    throw new ProviderError("CONFIG", "--keep says how many published pages stay, and nothing is published.", {
      fix: "Add --publish, or leave --keep out.",
    });
  }
  if (sign && !publish && out === undefined) {
    throw new ProviderError("CONFIG", "--sign needs a file to sign.", { fix: "Name it with --out FILE." });
  }
  if (publish && all.length > 0) {
    throw new ProviderError("CONFIG", "--publish takes one job: each has its own folder in its stores.", {
      fix: "Publish the report of each job with --job, or write one for all with --out.",
    });
  }
}

async function signerOf({ job }: Run): Promise<ReportSigner> {
  if (!job.keys) {
    throw new ProviderError("CONFIG", "The job has no key to sign with.", {
      fix: "Add signing: { key: { secret: … } } to it, 64 hexadecimal digits of `openssl rand -hex 32`; a stack's jobs have one.",
    });
  }
  const { NAMESPACE, reportSigner } = await import("../../operations/report/signature.ts");
  return reportSigner(job.keys.derive(NAMESPACE), job.stack);
}

/**
 * Reads all destinations of a job.
 *
 * @param amongOthers whether a job of which no destination can be read is part of the report; else that is an error
 */
async function readJob(run: Run, file: string | undefined, amongOthers: boolean): Promise<JobContents> {
  const { readStore } = await import("../../operations/report/read-store.ts");
  try {
    const { results: stores, failed } = await inDestinations(run, {}, (storage, number) =>
      readStore(storage, number, run.job, run.signal),
    );
    const unread = chosenDestinations(run, {}).filter((index) => stores.every(({ number }) => number !== index));
    return {
      ...{ job: run.job, file, stores },
      failed: failed.map(({ destination, error }, index) => ({
        number: unread[index] ?? 0,
        description: destination,
        problem: [error.message, ...(error.fix === undefined ? [] : [`Fix: ${error.fix}`])].join(" "),
      })),
    };
  } catch (error) {
    if (!amongOthers || run.signal.aborted || !(error instanceof ProviderError)) throw error;
    const failed = run.job.destinations.map(({ kind }, number) => ({
      ...{ number, description: kind, problem: error.message },
    }));
    return { job: run.job, file, stores: [], failed };
  }
}

/** @param display of what is printed; left out for a file */
async function render(report: Report, format: Format, display?: Display): Promise<string> {
  switch (format) {
    case "html":
      return (await import("../../operations/report/html/page.ts")).toHtml(report);
    case "markdown":
      return (await import("../../operations/report/markdown.ts")).toMarkdown(report, display);
    case "json":
      return `${JSON.stringify(report, null, 2)}\n`;
  }
}

/** Writes a report, and its signature beside it, for their owner alone. Gives their names. */
async function write(file: string, text: string, signer: ReportSigner | undefined): Promise<string[]> {
  const signature = `${file}.sig`;
  // A former signature beside a new report would prove nothing, and a new one must never be beside the former report.
  await rm(signature, { force: true });
  await replace(file, text);
  if (!signer) return [file];
  await replace(signature, signer.sign(Buffer.from(text)));
  return [file, signature];
}

async function replace(file: string, text: string): Promise<void> {
  const half = `${file}.${process.pid}.new`;
  try {
    await writeFile(half, text, { mode: 0o600, flag: "wx" });
    await rename(half, file);
  } catch (error) {
    await rm(half, { force: true });
    throw new ProviderError("CONFIG", `The report cannot be written to ${file}: ${(error as Error).message}`, {
      cause: error,
      fix: "Name a file in a folder that exists and that this user may write to.",
    });
  }
}

/**
 * Stores the page in each destination under the time of now, and removes the oldest ones. Says where, where that failed, and where old
 * ones stay, which is no failure: a lock or a role may mean it so.
 */
async function publish(run: Run, report: Report, signer: ReportSigner | undefined, keep: number) {
  const { publishReport, removeOldReports } = await import("../../operations/report/publish.ts");
  const page = Buffer.from(await render(report, "html"));
  const removed: string[] = [];
  const warnings: string[] = [];
  const { results, failed } = await inDestinations(run, {}, async (storage) => {
    const { job, signal } = run;
    const place = { storage, job, time: new Date(report.madeAt), signal };
    const named = (keys: readonly string[]) => keys.map((key) => `${key} in ${storage.description}`);
    const published = named(await publishReport({ ...place, page, signer }));
    try {
      removed.push(...named(await removeOldReports(place, keep)));
    } catch (error) {
      if (signal.aborted || !(error instanceof ProviderError)) throw error;
      warnings.push(`Older pages stay in ${storage.description}. ${withFix(error)}`);
    }
    return published;
  });
  return {
    ...{ published: results.flat(), removed, warnings },
    problems: failed.map(({ destination, error }) => `${destination}: FAILED. ${error.message}`),
  };
}
