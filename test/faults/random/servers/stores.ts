import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { DropboxService } from "../../../../tools/services/dropbox.ts";
import { GoogleDriveService } from "../../../../tools/services/google-drive.ts";
import { SupabaseStorageService } from "../../../../tools/services/supabase-storage.ts";
import type { FaultyS3 } from "./s3-server.ts";
import type { StoreKind } from "../scenario.ts";
import { filesBelow } from "../files-below.ts";
import { TcpProxy } from "./tcp-proxy.ts";

/** Seconds without a byte after which a transfer is given up, and for which a request is tried again. */
export interface Patience {
  readonly stallTimeoutSeconds: number;
  readonly retrySeconds: number;
}

/** A destination as others see it who do not use the runner. */
export interface Store {
  readonly kind: StoreKind;
  /** Its part of the job. */
  readonly config: object;
  /** What the runner's environment must have for it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  /** Where its connections can be troubled; undefined for a folder. */
  readonly proxy: TcpProxy | undefined;
  /** The folder that it is, for kinds that are one. */
  readonly folder: string | undefined;
  /** All objects as files of a folder, and what has been begun to be stored and is no object yet. */
  export(): Promise<{ readonly folder: string; readonly unfinished: readonly string[] }>;
  /** Changes an object behind the runner's back; undefined removes it. */
  replace(key: string, bytes: Buffer | undefined): void;
  close(): Promise<void>;
}

/** Opens a new, empty store. @param index its place in the job */
export async function openStore(
  kind: StoreKind,
  index: number,
  folder: string,
  s3: FaultyS3 | undefined,
  patience: Patience,
): Promise<Store> {
  switch (kind) {
    case "filesystem":
      return folderStore(folder, patience);
    case "s3":
      if (s3 === undefined) throw new RangeError("there is no S3 server");
      return bucketStore(s3, index, patience);
    case "dropbox":
      return dropboxStore(index, patience);
    case "google-drive":
      return driveStore(index, patience);
    case "supabase":
      return supabaseStore(index, patience);
  }
}

function folderStore(folder: string, { stallTimeoutSeconds }: Patience): Store {
  return {
    kind: "filesystem",
    config: { kind: "filesystem", path: folder, stallTimeoutSeconds },
    environment: {},
    secrets: [],
    proxy: undefined,
    folder,
    export: () => {
      const unfinished = filesBelow(folder).filter((file) => /(^|\/)\.[^/]*\.partial$/.test(file));
      return Promise.resolve({ folder, unfinished });
    },
    replace: (key, bytes) => {
      replaceFile(join(folder, key), bytes);
    },
    close: () => Promise.resolve(),
  };
}

let buckets = 0;

async function bucketStore(s3: FaultyS3, index: number, patience: Patience): Promise<Store> {
  const bucket = `run-${process.pid}-${(buckets += 1)}`;
  await s3.makeBucket(bucket);
  const proxy = await TcpProxy.start(s3.port);
  const folder = join(s3.buckets, bucket);
  const [id, key] = [`S3_ID_${index}`, `S3_KEY_${index}`];
  return {
    kind: "s3",
    config: {
      kind: "s3",
      bucket,
      endpoint: `http://127.0.0.1:${proxy.port}`,
      accessKeyId: { env: id },
      secretAccessKey: { env: key },
      partSizeMiB: 5,
      ...patience,
    },
    environment: { [id]: s3.accessKeyId, [key]: s3.secretAccessKey },
    secrets: [s3.secretAccessKey],
    proxy,
    folder,
    export: async () => ({ folder, unfinished: await s3.unfinished(bucket) }),
    replace: (key, bytes) => {
      replaceFile(join(folder, key), bytes);
    },
    close: async () => {
      await proxy.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function dropboxStore(index: number, patience: Patience): Promise<Store> {
  const service = await DropboxService.start();
  const proxy = await TcpProxy.start(Number(new URL(service.origin).port));
  const [secret, token] = [`DROPBOX_SECRET_${index}`, `DROPBOX_TOKEN_${index}`];
  const at = "/Backups";
  const memory = inMemory(() =>
    service.files().map((path) => [path.slice(at.length + 1), service.content(path) ?? Buffer.alloc(0)] as const),
  );
  return {
    kind: "dropbox",
    config: {
      kind: "dropbox",
      folder: at,
      appKey: service.appKey,
      appSecret: { env: secret },
      refreshToken: { env: token },
      ...patience,
    },
    environment: {
      [secret]: service.appSecret,
      [token]: service.refreshToken,
      DROPBOX_SERVICE: `http://127.0.0.1:${proxy.port}`,
      NODE_OPTIONS: preload("dropbox-redirect.ts"),
    },
    secrets: [service.appSecret, service.refreshToken],
    proxy,
    folder: undefined,
    ...memory,
    replace: (key, bytes) => {
      service.delete(`${at}/${key}`);
      if (bytes) service.put(`${at}/${key}`, bytes);
    },
    close: async () => {
      memory.forget();
      await proxy.stop();
      await service.close();
    },
  };
}

async function driveStore(index: number, patience: Patience): Promise<Store> {
  const service = await GoogleDriveService.start();
  const proxy = await TcpProxy.start(Number(new URL(service.origin).port));
  const [secret, token] = [`GOOGLE_SECRET_${index}`, `GOOGLE_TOKEN_${index}`];
  const at = "/Backups";
  const memory = inMemory(() =>
    service.files().map((path) => [path.slice(at.length + 1), service.content(service.idOf(path))] as const),
  );
  return {
    kind: "google-drive",
    config: {
      kind: "google-drive",
      folder: at,
      clientId: service.clientId,
      clientSecret: { env: secret },
      refreshToken: { env: token },
      ...patience,
    },
    environment: {
      [secret]: service.clientSecret,
      [token]: service.refreshToken,
      GOOGLE_DRIVE_SERVICE: `http://127.0.0.1:${proxy.port}`,
      NODE_OPTIONS: preload("google-drive-redirect.ts"),
    },
    secrets: [service.clientSecret, service.refreshToken],
    proxy,
    folder: undefined,
    ...memory,
    replace: (key, bytes) => {
      const id = service.idOf(`${at}/${key}`);
      if (bytes) service.replace(id, bytes);
      else service.trash(id);
    },
    close: async () => {
      memory.forget();
      await proxy.stop();
      await service.close();
    },
  };
}

async function supabaseStore(index: number, patience: Patience): Promise<Store> {
  const service = await SupabaseStorageService.start();
  const proxy = await TcpProxy.start(Number(new URL(service.url).port));
  const key = `SUPABASE_KEY_${index}`;
  const memory = inMemory(() =>
    [...service.objects].map(([place, { content }]) => {
      const bytes = typeof content === "string" ? readFileSync(content) : content;
      return [place.slice("backups/".length), bytes] as const;
    }),
  );
  return {
    kind: "supabase",
    config: {
      kind: "supabase",
      url: `http://127.0.0.1:${proxy.port}`,
      bucket: "backups",
      key: { env: key },
      ...patience,
    },
    environment: { [key]: service.serviceKey },
    secrets: [service.serviceKey],
    proxy,
    folder: undefined,
    ...memory,
    replace: (name, bytes) => {
      if (bytes) service.put(name, bytes);
      else service.objects.delete(`backups/${name}`);
    },
    close: async () => {
      memory.forget();
      await proxy.stop();
      await service.close();
    },
  };
}

/**
 * The `export` of a service that keeps objects in this process. Uploads that were begun and not ended are not counted: these
 * services end them by themselves, and let nobody list them.
 */
function inMemory(
  objects: () => readonly (readonly [key: string, bytes: Buffer])[],
): Pick<Store, "export"> & { forget(): void } {
  const written = new Map<string, Buffer>();
  let folder: string | undefined;
  return {
    export: () => {
      folder ??= mkdtempSync("/tmp/faults-export-");
      const now = new Map(objects());
      for (const key of written.keys()) {
        if (!now.has(key)) rmSync(join(folder, key), { force: true });
      }
      for (const [key, bytes] of now) {
        if (written.get(key)?.equals(bytes) !== true) replaceFile(join(folder, key), bytes);
      }
      written.clear();
      for (const [key, bytes] of now) written.set(key, bytes);
      return Promise.resolve({ folder, unfinished: [] });
    },
    forget: () => {
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

function replaceFile(path: string, bytes: Buffer | undefined): void {
  if (bytes === undefined) {
    rmSync(path, { force: true });
    return;
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, bytes, { mode: 0o600 });
}

function preload(file: string): string {
  return `--import=${pathToFileURL(join(import.meta.dirname, "../../../../tools/services", file)).href}`;
}
