import { isUtf8 } from "node:buffer";
import type { Readable } from "node:stream";
import { type ProviderError } from "../../../errors.ts";
import { textOf } from "../connect/raw-text.ts";

/** More bytes than the statements of any server's roles or policies have; a text that is longer is none of them. */
const limit = 64 * 1024 * 1024;

/**
 * Reads text to its end. An error of the bytes' own stream is passed on as it is.
 *
 * @param damaged makes the error for a text that cannot be right, from the end of a sentence that begins with "it"
 * @param encoding `raw` for a text that has names as they are, in which bytes need not be UTF-8; see raw-text.ts
 */
export async function readText(
  bytes: Readable,
  damaged: (what: string) => ProviderError,
  encoding: "UTF-8" | "raw" = "UTF-8",
): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > limit) throw damaged("is larger than it can be");
  }
  const all = Buffer.concat(chunks);
  if (encoding === "raw") return textOf(all);
  if (!isUtf8(all)) throw damaged("is not text in UTF-8");
  return all.toString();
}
