import { createHash } from "node:crypto";
import type { Reading } from "../../http/service-store.ts";
import type { DriveClient } from "./client.ts";
import { unreachable } from "./errors.ts";
import type { DriveFile } from "./files.ts";

/**
 * How a file is read, and compared with a checksum that the service reports of it: also where somebody replaced it after a
 * break.
 */
export function readingOf(client: DriveClient, file: DriveFile, action: string): Reading {
  const url = `https://www.googleapis.com/drive/v3/files/${encodeURIComponent(file.id)}?alt=media&supportsAllDrives=true`;
  const algorithm = file.sha256 === undefined ? "md5" : "sha256";
  const expected = file[algorithm];
  const hash = createHash(algorithm);
  const checksum = {
    update: (bytes: Buffer) => {
      hash.update(bytes);
    },
    matches: () => hash.digest("hex") === expected,
  };
  return {
    size: file.size,
    open: (offset, signal) => {
      const headers: Record<string, string> = offset === 0 ? {} : { Range: `bytes=${offset}-` };
      return client.stream(url, { method: "GET", headers }, offset === 0 ? 200 : 206, { action, signal });
    },
    broken: (error) => unreachable(error, action),
    ...(expected !== undefined && { checksum }),
  };
}
