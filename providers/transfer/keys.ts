import { ProviderError } from "../errors.ts";

/** Longest segment in UTF-8 bytes: what every common file system takes for one name (NAME_MAX of Linux). */
const MAX_SEGMENT_BYTES = 255;

/**
 * The segments of a key or of a folder. `CONFIG` where the key is empty, absolute, or holds `.`/`..` segments, empty
 * segments, NUL, or a segment of more than 255 bytes.
 */
export function keySegments(key: string): string[] {
  if (key === "") throw refused(key, "it is empty");
  if (key.startsWith("/")) throw refused(key, "it starts with '/'");
  if (key.includes("\0")) throw refused(key, "it holds a NUL character");
  const segments = key.split("/");
  for (const segment of segments) {
    if (segment === "") throw refused(key, "it has an empty segment");
    if (segment === "." || segment === "..") throw refused(key, `it has the segment '${segment}'`);
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) {
      throw refused(key, `one of its segments is longer than ${MAX_SEGMENT_BYTES} bytes`);
    }
  }
  return segments;
}

/** The error for a key that a provider does not take. */
export function refused(key: string, why: string): ProviderError {
  const shown = key.length > 200 ? `${key.slice(0, 200)}…` : key;
  return new ProviderError("CONFIG", `The key ${JSON.stringify(shown)} is refused: ${why}.`, {
    fix: "Use a key of segments joined by '/', for instance prod/app/notes.txt.",
  });
}
