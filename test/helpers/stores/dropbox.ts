import { dropbox } from "../../../providers/storage/dropbox.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { OpenStorage } from "../../contract/storage.ts";
import { DropboxService } from "../../../tools/services/dropbox.ts";
import { redirectDropbox } from "../../../tools/services/dropbox-redirect.ts";

const MiB = 1024 * 1024;

/** What all configurations have. */
export const base = {
  kind: "dropbox",
  folder: "/Backups",
  refreshToken: { env: "TOKEN" },
  stallTimeoutSeconds: 60,
  retrySeconds: 20,
} as const;

/** A storage at a service; `settings` are those of the configuration. */
export async function open(service: DropboxService, settings: object = {}): Promise<StorageProvider> {
  redirectDropbox(service.origin);
  const secret = service.needsSecret ? { appSecret: { env: "SECRET" } } : {};
  const config = dropbox.schema.parse({ ...base, appKey: service.appKey, ...secret, ...settings });
  return dropbox.create(config, {
    secrets: {
      refreshToken: service.refreshToken,
      ...(service.needsSecret ? { appSecret: service.appSecret } : {}),
    },
  });
}

/** What the contract may expect. */
export const capabilities = {
  // Some of the contract's names are among those that Dropbox refuses.
  unicodeKeys: false,
  oddKeys: false,
  lies: ["shorter", "longer", "different"],
  chunkBytes: 16 * MiB,
  // Four chunks, what waits before them, and what the sockets hold.
  maxBuffered: 65 * MiB,
  refusesToOverwrite: true,
  leavesUnfinished: false,
} as const;

/** A store of its own. */
export const openDropbox: OpenStorage = async ({ stallTimeoutSeconds }) => {
  const service = await DropboxService.start();
  // Small pages, so that listings have many.
  service.pageSize = 100;
  return {
    storage: await open(service, { stallTimeoutSeconds, prefix: "team/a" }),
    tamper: (_key, _size, lie) => {
      service.misbehave("files/upload", { kind: "lie", lie });
      return Promise.resolve();
    },
    received: () => Promise.resolve(service.received),
    strand: () => Promise.reject(new Error("Dropbox shows no unfinished uploads.")),
    // Sessions can neither be listed nor ended: nobody sees them, and they take no room.
    unfinished: () => Promise.resolve(0),
    dispose: () => service.close(),
  };
};
