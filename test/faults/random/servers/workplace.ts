import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { WebhookReceiver } from "../../../../tools/services/webhook-receiver.ts";
import { SupabaseStorageService } from "../../../../tools/services/supabase-storage.ts";
import { KEY_AGE } from "../hands/forged-documents.ts";
import { stampIn } from "../hands/hand.ts";
import { invoke, type Invocation } from "../invocation.ts";
import type { JobShape } from "../scenario.ts";
import type { Source } from "./sources.ts";
import { openStore, type Patience, type Store } from "./stores.ts";
import { TcpProxy } from "./tcp-proxy.ts";
import type { World } from "./world.ts";

/** MiB of a disk that a fault may fill. */
const DISK_MIB = 256;

/** The files of a job with files: `bucket/name` and content. */
export type Files = ReadonlyMap<string, Buffer>;

/** All that one run has to itself: folders, stores, a monitor, a job and its secrets. */
export class Workplace {
  readonly world: World;
  readonly shape: JobShape;
  readonly folder: string;
  /** The runner's folder for temporary files. */
  readonly scratch: string;
  readonly stores: readonly Store[];
  readonly database: TcpProxy;
  readonly webhook: WebhookReceiver;
  readonly files: Files;
  /** Databases that the job backs up; the first is that of its URL. */
  readonly sources: readonly Source[];
  readonly job: Record<string, unknown>;
  /** The job's: short, and on a busy machine longer. */
  readonly timeoutMinutes: number;
  readonly environment: Record<string, string>;
  /** What nobody may ever see. */
  readonly secrets: readonly string[];
  readonly #disks: string[] = [];
  readonly #filesService: SupabaseStorageService | undefined;

  private constructor(
    parts: Pick<Workplace, "world" | "shape" | "folder" | "stores" | "database" | "webhook" | "files"> & {
      disks: string[];
      filesService: SupabaseStorageService | undefined;
      database: TcpProxy;
    },
  ) {
    const { world, shape } = parts;
    this.world = world;
    this.shape = shape;
    this.folder = parts.folder;
    this.scratch = join(parts.folder, "tmp");
    this.stores = parts.stores;
    this.database = parts.database;
    this.webhook = parts.webhook;
    this.files = parts.files;
    this.#disks = parts.disks;
    this.#filesService = parts.filesService;
    this.sources = shape.dump === "several" ? [shape.source, "other"] : [shape.source];
    const { postgres, identity, recipient } = world;
    this.environment = {
      PATH: process.env.PATH ?? "",
      HOME: join(this.folder, "home"),
      TMPDIR: this.scratch,
      APP_URL: postgres.url(shape.source, this.database.port),
      TARGET_URL: postgres.url("target", this.database.port),
      DRILL_URL: postgres.url("postgres", this.database.port),
      MONITOR_URL: this.webhook.url,
      AGE_IDENTITY: identity,
      // Since when there is a key it says itself: an hour before.
      ...(shape.signed && { SIGNING_KEY: `provision-key-${stampIn(-KEY_AGE)}-${world.signingKey}` }),
    };
    for (const { environment } of this.stores) {
      for (const [name, value] of Object.entries(environment)) {
        const before = this.environment[name];
        this.environment[name] = name === "NODE_OPTIONS" && before !== undefined ? `${before} ${value}` : value;
      }
    }
    if (this.#filesService) this.environment.FILES_KEY = this.#filesService.serviceKey;
    const patience = patienceOf(world);
    const paceMs = Math.max(...[...world.pace.values()].map((each) => each * shape.stores.length));
    this.timeoutMinutes = Math.max(1, Math.ceil((5 * paceMs) / 60_000));
    this.job = {
      stack: "faults",
      name: "app",
      database: {
        kind: "postgres",
        url: { env: "APP_URL" },
        lockTimeoutSeconds: patience.stallTimeoutSeconds,
        ...(shape.dump === "directory" && { jobs: 2 }),
        ...(shape.dump === "several" && { databases: this.sources }),
      },
      destinations: this.stores.map(({ config }) => config),
      ...(shape.encrypted && { encryption: { recipients: [recipient], identity: { env: "AGE_IDENTITY" } } }),
      ...(shape.signed && { signing: { key: { env: "SIGNING_KEY" } } }),
      ...(shape.keep !== undefined && { retention: { last: shape.keep } }),
      ...(shape.webhook && { monitor: { kind: "webhook", url: { env: "MONITOR_URL" } } }),
      ...(this.#filesService && {
        files: {
          kind: "supabase-storage",
          url: this.#filesService.url,
          key: { env: "FILES_KEY" },
          buckets: ["papers"],
          ...patience,
        },
      }),
      drill: shape.ownServer ? {} : { target: { env: "DRILL_URL" }, acceptSharedUser: true },
      timeoutMinutes: this.timeoutMinutes,
    };
    this.secrets = [
      postgres.password,
      identity,
      world.signingKey,
      this.webhook.url.slice(-20),
      ...this.stores.flatMap(({ secrets }) => secrets),
      ...(this.#filesService ? [this.#filesService.serviceKey] : []),
    ];
  }

  /** @param fillable whether the folders of stores and of temporary files are disks of their own, which can be filled */
  static async open(world: World, shape: JobShape, fillable: boolean): Promise<Workplace> {
    const folder = mkdtempSync("/tmp/faults-run-");
    const disks: string[] = [];
    for (const name of ["home", "tmp", "store-0", "store-1"]) {
      mkdirSync(join(folder, name), { mode: 0o700 });
      if (!fillable || name === "home") continue;
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_MIB}m,mode=700`, "faults", join(folder, name)]);
      disks.push(join(folder, name));
    }
    // Where this is root, a drill's own server runs as another user, who must reach the scratch folder.
    for (const each of [folder, join(folder, "tmp")]) chmodSync(each, 0o711);
    const stores: Store[] = [];
    for (const [index, kind] of shape.stores.entries()) {
      stores.push(await openStore(kind, index, join(folder, `store-${index}`), world.s3, patienceOf(world)));
    }
    const webhook = new WebhookReceiver(`check-${randomBytes(12).toString("hex")}`);
    await webhook.start();
    const database = await TcpProxy.start(world.postgres.port);
    const [filesService, files] = shape.files ? await filesOf(world.marker) : [undefined, new Map<string, Buffer>()];
    return new Workplace({ world, shape, folder, stores, database, webhook, files, disks, filesService });
  }

  /** Starts a command of the runner on the job. */
  start(args: readonly string[], changes: { env?: Record<string, string> } = {}): Invocation {
    const file = join(this.folder, "job.json");
    writeFileSync(file, JSON.stringify(this.job));
    const { runner, limitMs = (this.timeoutMinutes + 1) * 60_000 + 15_000 } = this.world;
    return invoke(runner, [...args, "--job", file], { ...this.environment, ...changes.env }, limitMs);
  }

  /** Lets a disk of this run have all of its room again. */
  enlarge(disk: string): void {
    this.#resize(disk, `${DISK_MIB}m`);
  }

  /** Lets a disk of this run have only so many bytes left. Gives false where the disk fills faster than it shrinks. */
  shrink(disk: string, freeBytes: number): boolean {
    if (!this.#disks.includes(disk)) throw new RangeError(`${disk} is no disk of its own`);
    for (let tries = 0; tries < 10; tries += 1) {
      const used = Number(execFileSync("df", ["--output=used", "-B1", disk], { encoding: "utf8" }).split("\n")[1]);
      try {
        this.#resize(disk, String(Math.ceil((used + freeBytes) / 4096) * 4096 || 4096));
        return true;
      } catch {
        // A file system becomes no smaller than what is in it, and more was written in between.
      }
    }
    return false;
  }

  #resize(disk: string, size: string): void {
    execFileSync("mount", ["-o", `remount,size=${size}`, disk], { stdio: "pipe" });
  }

  /** Removes everything. */
  async close(): Promise<void> {
    for (const store of this.stores) await store.close();
    await this.webhook.stop();
    await this.database.stop();
    await this.#filesService?.close();
    for (const disk of this.#disks) execFileSync("umount", ["-l", disk]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Short, so that runs are; on a busy machine longer, so that nothing is taken for a hang that is only slow. */
export function patienceOf({ pace }: World): Patience {
  const seconds = Math.ceil((2 * (pace.get("small") ?? 0)) / 1000);
  return { stallTimeoutSeconds: Math.min(30, Math.max(3, seconds)), retrySeconds: Math.min(15, Math.max(3, seconds)) };
}

async function filesOf(marker: string): Promise<[SupabaseStorageService, Map<string, Buffer>]> {
  const service = await SupabaseStorageService.start();
  service.makeBucket("papers");
  const files = new Map<string, Buffer>();
  for (let n = 0; n < 12; n += 1) {
    const bytes = n === 0 ? Buffer.alloc(0) : Buffer.from(`paper ${n} ${marker} `.repeat(n * n * 40));
    service.put(`deep/${n}/paper (${n}).txt`, bytes, "papers");
    files.set(`papers/deep/${n}/paper (${n}).txt`, bytes);
  }
  return [service, files];
}
