import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { Check } from "../providers/database/database.ts";
import { ProviderError, toProviderError } from "../providers/errors.ts";
import type { FileBucket, FilesProvider } from "../providers/files/files.ts";
import type { FilesConfig } from "../providers/files/index.ts";
import type { StorageProvider } from "../providers/storage/storage.ts";
import { createHeader } from "./age/encrypt.ts";
import { jobFolder, listBackups } from "./catalogue.ts";
import type { Run } from "./run.ts";

/** Looks at everything that a run of the job needs; each check says how to fix what fails. */
export async function* doctor(run: Run): AsyncGenerator<Check> {
  yield* checkDatabase(run);
  if (run.job.files) yield* checkFiles(run, run.job.files);
  for (const index of run.job.destinations.keys()) yield* checkDestination(run, index);
  yield* checkEncryption(run);
  yield* checkDrill(run);
  yield* checkMonitors(run);
}

async function* checkDatabase(run: Run): AsyncGenerator<Check> {
  try {
    yield* (await run.openDatabase()).check(run.signal, jobFolder(run.job));
  } catch (error) {
    yield failed("database", error);
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

/** Writes, reads back, lists and removes a small object: whatever a run will do there. */
async function* checkDestination(run: Run, index: number): AsyncGenerator<Check> {
  const { signal, job } = run;
  let storage: StorageProvider;
  try {
    storage = await run.openDestination(index);
  } catch (error) {
    yield failed(`destination ${index}`, error);
    return;
  }
  const name = `destination ${index}, ${storage.description}`;
  const folder = `${jobFolder(job)}/doctor-${randomBytes(4).toString("hex")}`;
  const key = `${folder}/probe`;
  const bytes = randomBytes(1024);
  try {
    yield* guarded(`${name}: write`, async () => {
      await storage.upload(key, Readable.from([bytes]), { signal });
      return "an object was written";
    });
    yield* guarded(`${name}: read`, async () => {
      const found = await buffer(await storage.download(key, { signal }));
      if (!found.equals(bytes)) throw new ProviderError("INTEGRITY", "What was read is not what was written.");
      return "it was read back as it was written";
    });
    yield* guarded(`${name}: list`, async () => {
      const keys: string[] = [];
      for await (const object of storage.list(folder, { signal })) keys.push(object.key);
      if (!keys.includes(key)) throw new ProviderError("INTERNAL", "The list does not show the object.");
      return "it was listed";
    });
    yield* guarded(`${name}: remove`, async () => {
      await storage.remove([key], { signal });
      return "it was removed";
    });
    yield* guarded(`${name}: backups`, async () => {
      const backups = await listBackups(storage, job, signal);
      const newest = backups.findLast(({ state }) => state === "verified");
      return newest
        ? `${backups.length}, the newest verified one of ${newest.time.toISOString()}`
        : `${backups.length}, none of them verified`;
    });
  } finally {
    await storage.close();
  }
}

async function* checkEncryption(run: Run): AsyncGenerator<Check> {
  const { encryption } = run.job;
  if (!encryption) {
    yield { name: "encryption", ok: true, detail: "none: whoever can read a destination can read the data" };
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

/** Makes a scratch database where drills do, and drops it. */
async function* checkDrill(run: Run): AsyncGenerator<Check> {
  if (!run.job.drill) return;
  yield* guarded("drill", async () => {
    const target = await run.openDrillTarget();
    // Of which version and with which roles a backup will be is not known yet.
    const facts = { serverVersion: "0", encoding: "UTF8", roles: [] };
    const scratch = await target.createScratch({ facts, signal: run.signal });
    await scratch.drop();
    return `a scratch database was made and dropped on PostgreSQL ${scratch.serverVersion}, ${target.description}`;
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

async function* guarded(name: string, look: () => Promise<string>): AsyncGenerator<Check> {
  try {
    yield { name, ok: true, detail: await look() };
  } catch (error) {
    yield failed(name, error);
  }
}

function failed(name: string, error: unknown): Check {
  const { message, fix } = toProviderError(error);
  return { name, ok: false, detail: message, ...(fix === undefined ? {} : { fix }) };
}
