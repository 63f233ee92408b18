import type { Check, DatabaseIdentity } from "../../providers/database/database.ts";
import type { FileBucket, FilesProvider } from "../../providers/files/files.ts";
import type { FilesConfig } from "../../providers/files/index.ts";
import { jobFolder } from "../../providers/layout.ts";
import type { StorageProvider } from "../../providers/storage/storage.ts";
import { createHeader } from "../stream/age/encrypt.ts";
import { checkObjectives } from "./doctor/check-objectives.ts";
import { checkDestination } from "./doctor/check-destination.ts";
import { failed, guarded, withFix } from "./doctor/checks.ts";
import type { Run } from "../run/run.ts";
import { stat } from "node:fs/promises";

/** The bits of a file's mode with which others than its owner may read it. */
const READ_BY_OTHERS = 0o044;

/** Checks of each file with secrets that nobody else may read it. A file that is not there is what its reader reports. */
async function* checkSecretFiles(files: readonly string[]): AsyncGenerator<Check> {
  const user = process.getuid?.();
  for (const file of files) {
    const found = await stat(file).catch(() => undefined);
    if (found === undefined) continue;
    const mode = (found.mode & 0o777).toString(8).padStart(4, "0");
    const isOpen = (found.mode & READ_BY_OTHERS) !== 0;
    const isForeign = user !== undefined && found.uid !== 0 && found.uid !== user;
    yield {
      name: `secrets in ${file}`,
      ok: !isOpen && !isForeign,
      detail:
        `its mode is ${mode}` +
        (isOpen ? `: ${(found.mode & 0o004) === 0 ? "its group" : "every user of this machine"} can read it` : "") +
        (isForeign ? `, and it is the user ${found.uid}'s, neither root's nor that of this run (${user})` : ""),
      ...(isForeign && { fix: `chown ${user} ${file} && chmod 600 ${file}, as root, and change the secrets.` }),
      ...(isOpen && !isForeign && { fix: `chmod 600 ${file}` }),
    };
  }
}

/** Checks everything that a run of the job needs; each check says how to fix what fails. */
export async function* doctor(run: Run): AsyncGenerator<Check> {
  for await (const check of checks(run)) yield withFix(check);
}

async function* checks(run: Run): AsyncGenerator<Check> {
  yield* checkSecretFiles(run.secretFiles);
  const identity = yield* checkDatabase(run);
  if (run.job.files) yield* checkFiles(run, run.job.files);
  yield* checkObjectives(run.job);
  yield* checkDestinations(run, identity);
  yield* checkEncryption(run);
  yield checkSigning(run);
  yield* checkDrill(run);
  yield* checkMonitors(run);
}

/** Gives which database it is; undefined where it cannot be reached, which a check then says. */
async function* checkDatabase(run: Run): AsyncGenerator<Check, DatabaseIdentity | undefined> {
  try {
    const database = await run.openDatabase();
    yield* database.check(run.signal, jobFolder(run.job));
    return await database.identify(run.signal).catch(() => undefined);
  } catch (error) {
    yield failed("database", error);
    return undefined;
  }
}

/** Lists each bucket's first file. */
async function* checkFiles(run: Run, config: FilesConfig): AsyncGenerator<Check> {
  const { signal } = run;
  let source: FilesProvider;
  let present: FileBucket[] = [];
  try {
    source = await run.openFiles(config);
  } catch (error) {
    yield failed("files", error);
    return;
  }
  const name = `files, ${source.description}`;
  try {
    yield* guarded(`${name}: buckets`, async () => {
      present = await source.buckets({ signal });
      return `${present.length}: ${present.map((bucket) => bucket.name).join(", ")}`;
    });
    for (const bucket of config.buckets ?? present.map((bucket) => bucket.name)) {
      yield* guarded(`${name}: ${bucket}`, async () => {
        for await (const _ of source.list(bucket, { signal })) return "its files were listed";
        return "it is empty";
      });
    }
  } finally {
    await source.close();
  }
}

async function* checkDestinations(run: Run, identity: DatabaseIdentity | undefined): AsyncGenerator<Check> {
  for (const [index, config] of run.job.destinations.entries()) {
    let storage: StorageProvider;
    try {
      storage = await run.openDestination(index);
    } catch (error) {
      yield failed(`destination ${index}`, error);
      continue;
    }
    try {
      const name = `destination ${index}, ${storage.description}`;
      yield* checkDestination(name, storage, config, run.job, identity, run.signal);
    } finally {
      await storage.close();
    }
  }
}

async function* checkEncryption(run: Run): AsyncGenerator<Check> {
  const { encryption } = run.job;
  if (!encryption) {
    yield { name: "encryption", ok: true, detail: "none: anyone who can read a destination can read the data" };
    return;
  }
  const { recipients } = encryption;
  let header: Awaited<ReturnType<typeof createHeader>> | undefined;
  yield* guarded("encryption: recipients", async () => {
    header = await createHeader(recipients);
    return `${recipients.length}, all of them valid`;
  });
  if (!header) return;
  const { bytes } = header;
  yield* guarded("encryption: identity", async () => {
    const identity = await run.openIdentity();
    if (!identity) return "none here: this machine can verify a backup right after making it, and not restore it";
    await identity(bytes);
    return "it belongs to one of the recipients";
  });
}

function checkSigning({ job: { keys } }: Run): Check {
  const detail = keys
    ? `backups are signed with the key ${keys.mark}${keys.since ? `, all since ${keys.since.toISOString()}` : ""}`
    : "none: anyone who can write to a destination can forge a backup";
  return { name: "signing", ok: true, detail };
}

/** Makes a scratch database where drills do, and drops it. */
async function* checkDrill(run: Run): AsyncGenerator<Check> {
  if (!run.job.drill) return;
  yield* guarded("drill", async () => {
    const { database, server, close } = await run.openDrillTarget();
    try {
      // Of which version and with which roles a backup will be is not known yet.
      const facts = { serverVersion: "1", encoding: "UTF8", roles: [] };
      const scratch = await database.createScratch({ facts, signal: run.signal });
      await scratch.drop();
      return `a scratch database was made and dropped on PostgreSQL ${scratch.serverVersion}, ${server}`;
    } finally {
      await close();
    }
  });
}

/** Sends a test message to each monitor. */
async function* checkMonitors(run: Run): AsyncGenerator<Check> {
  const { monitor } = run.job;
  if (monitor.length === 0) yield { name: "monitors", ok: true, detail: "the log alone" };
  for (const [index, config] of monitor.entries()) {
    yield* guarded(`monitor ${index}, ${config.kind}`, async () =>
      (await run.openMonitor(config, `monitor[${index}]`)).check(),
    );
  }
}
