import { setTimeout as sleep } from "node:timers/promises";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { supabase } from "../../../providers/storage/supabase.ts";
import type { OpenStorage } from "../../contract/storage.ts";
import { bytesOf, streamAround } from "../bytes.ts";
import { FaultyProxy } from "../../../tools/services/faulty-proxy.ts";
import { SupabaseStorageService } from "../../../tools/services/supabase-storage.ts";

const MiB = 1024 * 1024;

/** What all configurations have. */
export const base = {
  kind: "supabase",
  bucket: "backups",
  key: { env: "KEY" },
  stallTimeoutSeconds: 60,
  retrySeconds: 20,
};

/** A storage at a service; `settings` are those of the configuration. */
export function open(url: string, key: string, settings: object = {}): Promise<StorageProvider> {
  return supabase.create(supabase.schema.parse({ ...base, url, ...settings }), { secrets: { key } });
}

/** What the contract may expect. */
export const capabilities = {
  unicodeKeys: true,
  oddKeys: true,
  lies: ["shorter", "longer", "different"],
  chunkBytes: 6 * MiB,
  // Two chunks, what waits before them, and what the sockets hold.
  maxBuffered: 14 * MiB,
  refusesToOverwrite: true,
  leavesUnfinished: true,
} as const;

/** A store of its own. */
export const openSupabase: OpenStorage = async ({ stallTimeoutSeconds }) => {
  const service = await SupabaseStorageService.start();
  // Small pages, so that listings have many.
  service.pageSize = 100;
  const proxy = await FaultyProxy.start(service.url);
  const settings = { stallTimeoutSeconds, prefix: "team/a" };
  return {
    storage: await open(proxy.url, service.serviceKey, settings),
    tamper: (_key, _size, lie) => {
      service.lie = lie;
      return Promise.resolve();
    },
    received: () => Promise.resolve(proxy.requests.reduce((sum, { bytes }) => sum + bytes, 0)),
    strand: (key) => strand(service, key, settings),
    unfinished: () => Promise.resolve(service.openUploads),
    dispose: async () => {
      await proxy.stop();
      await service.close();
    },
  };
};

/** Uploads more than a chunk, and takes the network away, so that nothing can be tidied up. */
async function strand(service: SupabaseStorageService, key: string, settings: object): Promise<void> {
  const proxy = await FaultyProxy.start(service.url);
  const storage = await open(proxy.url, service.serviceKey, settings);
  const killed = new AbortController();
  const ended = new Promise<void>((resolve) => {
    killed.signal.addEventListener("abort", () => {
      resolve();
    });
  });
  const source = streamAround(bytesOf(7 * MiB), () => ended, Buffer.alloc(0));
  const upload = storage.upload(key, source, { signal: killed.signal }).catch(() => undefined);
  while (!proxy.requests.some(({ method, status }) => method === "PATCH" && status === 204)) await sleep(5);
  await proxy.stop();
  killed.abort();
  await upload;
  await storage.close();
}
