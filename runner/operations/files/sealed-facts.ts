import { randomBytes } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { ProviderError } from "../../../providers/errors.ts";
import type { FileFacts } from "../../../providers/files/files.ts";
import { AgeDecrypt, type FileKeySource } from "../../stream/age/decrypt.ts";
import { createHeader, type AgeHeader } from "../../stream/age/encrypt.ts";
import { NONCE, PayloadCipher } from "../../stream/age/payload.ts";
import { parseFacts, type FileEntry } from "./file-entry.ts";

/**
 * What encrypts names and attributes of files: each becomes an age file of its own. They share one header, and so one key,
 * under a nonce each: a header costs milliseconds, and there may be a million files.
 */
export class FactsSealer {
  readonly #header: AgeHeader;

  private constructor(header: AgeHeader) {
    this.#header = header;
  }

  /** @param recipients age public keys. */
  static async for(recipients: readonly string[]): Promise<FactsSealer> {
    return new FactsSealer(await createHeader(recipients));
  }

  /** The key of all that this has sealed. */
  readonly fileKey: FileKeySource = () => Promise.resolve(this.#header.fileKey);

  seal(facts: FileFacts): string {
    const nonce = randomBytes(NONCE);
    // Facts fit into one chunk: see FILE_FACTS.
    const sealed = new PayloadCipher(this.#header.fileKey, nonce).seal(Buffer.from(JSON.stringify(facts)), true);
    return Buffer.concat([this.#header.bytes, nonce, ...sealed]).toString("base64");
  }
}

/**
 * What an entry tells of its file; decrypted where it is sealed.
 *
 * @throws ProviderError `CONFIG` where the key is missing or not one of the recipients', `INTEGRITY` where the entry is not
 * what was written. A header whose lines for a recipient are damaged looks like one of other recipients: only an index that
 * was read to its end tells which it is.
 */
export async function factsOf(entry: FileEntry, fileKey: FileKeySource | undefined): Promise<FileFacts> {
  if (entry.sealed === undefined) return parseFacts(entry.file);
  if (fileKey === undefined) {
    throw new ProviderError("CONFIG", "The names of the files are encrypted, and there is no identity.", {
      fix: "Give the private key of one of its recipients: encryption.identity in the job, or --identity.",
    });
  }
  const decrypt = new AgeDecrypt(fileKey);
  decrypt.end(Buffer.from(entry.sealed, "base64"));
  const text = (await buffer(decrypt)).toString("utf8");
  try {
    return parseFacts(JSON.parse(text));
  } catch (error) {
    throw new ProviderError("INTEGRITY", "An entry of the index does not hold what belongs to a file.", {
      cause: error,
    });
  }
}

/** The same key source, which unwraps each header once: all entries that one run sealed have the same. */
export function remembered(fileKey: FileKeySource): FileKeySource {
  const keys = new Map<string, Promise<Uint8Array>>();
  return (header) => {
    const name = Buffer.from(header).toString("latin1");
    let key = keys.get(name);
    if (key === undefined) keys.set(name, (key = fileKey(header)));
    return key;
  };
}
