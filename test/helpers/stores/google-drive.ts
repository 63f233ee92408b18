import { googleDrive } from "../../../providers/storage/google-drive.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import type { OpenStorage } from "../../contract/storage.ts";
import { googleError, GoogleDriveService } from "../../../tools/services/google-drive.ts";
import { redirectGoogleDrive } from "../../../tools/services/google-drive-redirect.ts";

const MiB = 1024 * 1024;

/** What all configurations have. */
export const base = {
  kind: "google-drive",
  folder: "/Backups",
  stallTimeoutSeconds: 60,
  retrySeconds: 20,
} as const;

/** A storage at a service, of a user; `settings` are those of the configuration. */
export async function open(service: GoogleDriveService, settings: object = {}): Promise<StorageProvider> {
  redirectGoogleDrive(service.origin);
  const { clientId, clientSecret, refreshToken } = service;
  const references = { clientSecret: { env: "SECRET" }, refreshToken: { env: "TOKEN" } };
  const config = googleDrive.schema.parse({ ...base, clientId, ...references, ...settings });
  return googleDrive.create(config, { secrets: { clientSecret, refreshToken } });
}

/** As {@link open}, of the service account. */
export async function openAsService(service: GoogleDriveService, settings: object = {}): Promise<StorageProvider> {
  redirectGoogleDrive(service.origin);
  const config = googleDrive.schema.parse({ ...base, serviceAccountKey: { env: "KEY" }, ...settings });
  return googleDrive.create(config, { secrets: { serviceAccountKey: service.serviceAccountKey } });
}

/** What the contract may expect. */
export const capabilities = {
  unicodeKeys: true,
  oddKeys: true,
  lies: ["shorter", "longer", "different"],
  chunkBytes: 16 * MiB,
  // Two chunks, what waits before them, and what the sockets hold.
  maxBuffered: 33 * MiB,
  leavesUnfinished: false,
  refusesToOverwrite: true,
} as const;

/** A store of a user. */
export const openDrive: OpenStorage = async ({ stallTimeoutSeconds }) => {
  const service = await GoogleDriveService.start();
  // Small pages, so that listings have many.
  service.pageSize = 100;
  return {
    storage: await open(service, { stallTimeoutSeconds, prefix: "team/a" }),
    tamper: (_key, _size, lie) => {
      service.misbehave("multipart", { kind: "lie", lie });
      return Promise.resolve();
    },
    received: () => Promise.resolve(service.received),
    strand: () => Promise.reject(new Error("Google Drive shows no unfinished uploads.")),
    unfinished: () => Promise.resolve(service.openSessions),
    dispose: () => service.close(),
  };
};

/** A store of a service account in a shared drive, at a service that fails at first. */
export const openFaultyDrive: OpenStorage = async ({ stallTimeoutSeconds }) => {
  const service = await GoogleDriveService.start();
  service.pageSize = 100;
  const storage = await openAsService(service, { stallTimeoutSeconds, driveId: service.driveId });
  const busy = googleError(403, "userRateLimitExceeded", "User Rate Limit Exceeded.");
  service.misbehave("multipart", { kind: "lost" });
  service.misbehave("put", { kind: "cut request", bytes: 5 * MiB });
  service.misbehave("put", { kind: "lost" });
  service.misbehave("list", { kind: "answer", status: 429, headers: { "Retry-After": "0" } });
  service.misbehave("create", { kind: "lost" });
  service.misbehave("download", { kind: "cut response", bytes: 50 });
  service.misbehave("delete", { kind: "answer", ...busy });
  service.misbehave("get", { kind: "expire tokens" });
  return {
    storage,
    tamper: (_key, _size, lie) => {
      // The request before it is struck by the fault above.
      service.misbehave("multipart", { kind: "lie", lie });
      service.misbehave("multipart", { kind: "lie", lie });
      return Promise.resolve();
    },
    received: () => Promise.resolve(service.received),
    strand: () => Promise.reject(new Error("Google Drive shows no unfinished uploads.")),
    unfinished: () => Promise.resolve(service.openSessions),
    dispose: () => service.close(),
  };
};
