import type { Readable } from "node:stream";
import { type ProviderError } from "../../errors.ts";

/** More characters than the statements of any server's roles or policies have; a text that is longer is none of them. */
const limit = 64 * 1024 * 1024;

/**
 * Reads text in UTF-8 to its end. An error of the bytes' own stream is passed on as it is.
 *
 * @param damaged makes the error for a text that cannot be right, from the end of a sentence that begins with "it"
 */
export async function readText(bytes: Readable, damaged: (what: string) => ProviderError): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  const decode = (chunk?: Buffer): string => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch {
      throw damaged("is not text in UTF-8");
    }
  };
  for await (const chunk of bytes) {
    text += decode(chunk as Buffer);
    if (text.length > limit) throw damaged("is larger than it can be");
  }
  return text + decode();
}
