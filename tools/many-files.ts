import { SupabaseStorageService } from "./services/supabase-storage.ts";
import { Sandbox } from "../test/helpers/sandbox.ts";

const BUCKETS = 5;

/** The bucket of the n-th file. */
export const bucketOf = (n: number) => `bucket-${n % BUCKETS}`;
/** The path of the n-th file in its bucket. */
export const nameOf = (n: number) => `folder-${n % 100}/file-${n}.txt`;

/** Many small files in five buckets of a storage service, and a job that backs them up beside a database. */
export interface ManyFiles {
  readonly service: SupabaseStorageService;
  readonly sandbox: Sandbox;
  /** Changes one file in a hundred; gives their numbers. */
  change(): number[];
  close(): Promise<void>;
}

/** What a backup said of the files. */
export interface FilesBackup {
  readonly copied: number;
  readonly unchanged: number;
  readonly leftOut: readonly object[];
  /** How long the files took. */
  readonly seconds: number;
  /** How long the whole run took. */
  readonly runSeconds: number;
}

/** Makes so many files, a multiple of a hundred, and a job of the database. */
export async function startManyFiles(databaseUrl: string, count: number): Promise<ManyFiles> {
  const service = await SupabaseStorageService.start();
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) service.makeBucket(bucketOf(bucket));
  for (let n = 0; n < count; n += 1) service.put(nameOf(n), Buffer.from(`file ${n}`), bucketOf(n));
  const sandbox = new Sandbox(databaseUrl, {
    files: {
      kind: "supabase-storage",
      url: service.url,
      key: { env: "FILES_KEY" },
      buckets: Array.from({ length: BUCKETS }, (_, n) => bucketOf(n)),
      parallel: 16,
      retrySeconds: 1,
    },
    retention: { last: 1 },
  });
  sandbox.environment.FILES_KEY = service.serviceKey;
  return {
    service,
    sandbox,
    change: () => {
      const changed = Array.from({ length: count / 100 }, (_, n) => n * 100 + 50);
      for (const n of changed) service.put(nameOf(n), Buffer.from(`file ${n}, again`), bucketOf(n));
      return changed;
    },
    close: async () => {
      sandbox.remove();
      await service.close();
    },
  };
}

/** Makes a backup, which must end with a code. */
export async function backUpFiles(sandbox: Sandbox, expectedCode: number): Promise<FilesBackup> {
  const begun = performance.now();
  const { code, stdout, stderr } = await sandbox.run("backup", "--json");
  const runSeconds = (performance.now() - begun) / 1000;
  if (code !== expectedCode) {
    throw new Error(`The backup ended with ${String(code)}, not ${expectedCode}: ${stderr.slice(-2000)}`);
  }
  const lines = stderr.split("\n").filter(Boolean);
  const steps = lines.map((line) => JSON.parse(line) as { msg: string; seconds?: number });
  const seconds = steps.find(({ msg }) => msg === "files: done")?.seconds ?? NaN;
  const { files } = JSON.parse(stdout) as { files: Pick<FilesBackup, "copied" | "unchanged" | "leftOut"> };
  return { ...files, seconds, runSeconds };
}
