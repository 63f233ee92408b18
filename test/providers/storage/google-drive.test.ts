import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ProviderError } from "../../../providers/errors.ts";
import { googleDrive } from "../../../providers/storage/google-drive.ts";
import type { StorageProvider } from "../../../providers/storage/storage.ts";
import { describeStorageContract } from "../../contract/storage.ts";
import { bytesOf, digest, digestOf, failingStream, streamOf, streamThen } from "../../helpers/bytes.ts";
import { failureOf } from "../../helpers/failure.ts";
import { keysIn } from "../../helpers/store.ts";
import { googleError, GoogleDriveService } from "../../services/google-drive.ts";
import type { Endpoint, Fault } from "../../services/google-drive.ts";
import { redirectGoogleDrive } from "../../services/google-drive-redirect.ts";

const MiB = 1024 * 1024;

/** Goes through an upload session, in three parts. */
const LARGE = 32 * MiB + 12_345;

const base = {
  kind: "google-drive",
  folder: "/Backups",
  stallTimeoutSeconds: 60,
  retrySeconds: 20,
} as const;

/** A storage at a service, of a user; `settings` are those of the configuration. */
async function open(service: GoogleDriveService, settings: object = {}): Promise<StorageProvider> {
  redirectGoogleDrive(service.origin);
  const { clientId, clientSecret, refreshToken } = service;
  const references = { clientSecret: { env: "SECRET" }, refreshToken: { env: "TOKEN" } };
  const config = googleDrive.schema.parse({ ...base, clientId, ...references, ...settings });
  return googleDrive.create(config, { secrets: { clientSecret, refreshToken } });
}

/** As {@link open}, of the service account. */
async function openAsService(service: GoogleDriveService, settings: object = {}): Promise<StorageProvider> {
  redirectGoogleDrive(service.origin);
  const config = googleDrive.schema.parse({ ...base, serviceAccountKey: { env: "KEY" }, ...settings });
  return googleDrive.create(config, { secrets: { serviceAccountKey: service.serviceAccountKey } });
}

const capabilities = {
  unicodeKeys: true,
  oddKeys: true,
  lies: ["shorter", "longer", "different"],
  // Two chunks, what waits before them, and what the sockets hold.
  maxBuffered: 33 * MiB,
  leavesUnfinished: false,
} as const;

describeStorageContract(
  "google-drive",
  async ({ stallTimeoutSeconds }) => {
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
  },
  capabilities,
);
