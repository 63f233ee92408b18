import type { Reading } from "../../http/service-store.ts";
import type { DropboxClient } from "./client.ts";
import type { FileFacts } from "./commit.ts";
import { ContentHasher } from "./content-hash.ts";
import { unreachable } from "./errors.ts";

/**
 * How a file is read, and compared with its content hash. It is asked for by its revision, so that what comes after a break is
 * of the same file.
 */
export function readingOf(client: DropboxClient, facts: FileFacts, action: string): Reading {
  const hasher = new ContentHasher();
  return {
    size: facts.size,
    open: (offset, signal) => client.download(`rev:${facts.rev}`, offset, { action, signal }),
    broken: (error) => unreachable(error, action),
    checksum: {
      update: (bytes) => {
        hasher.update(bytes);
      },
      matches: () => hasher.digest() === facts.content_hash,
    },
  };
}
