import { isUtf8 } from "node:buffer";

/**
 * Names and other texts of a database whose encoding is SQL_ASCII are bytes that need not be UTF-8, and names that a whole server
 * shares may be of such a database. Here they are strings all the same: a byte that is no part of a character in UTF-8 is the one
 * of the private characters U+EF80 to U+EFFF that ends with its own number. Those characters themselves are taken for such bytes
 * too, so that each text stands for other bytes.
 */
const BASE = 0xef00;
const ESCAPED = /[\uEF80-\uEFFF]/;
const PIECES = /[\uEF80-\uEFFF]|[^\uEF80-\uEFFF]+/gu;

/** Whether a text has bytes in it that are no UTF-8. */
export function hasRawBytes(text: string): boolean {
  return ESCAPED.test(text);
}

/** Bytes as a text, from which {@link bytesOf} makes the same bytes. */
export function textOf(bytes: Uint8Array): string {
  if (isUtf8(bytes)) {
    const text = Buffer.from(bytes).toString();
    if (!hasRawBytes(text)) return text;
  }
  let text = "";
  let position = 0;
  while (position < bytes.length) {
    const first = bytes[position] ?? 0;
    const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    const part = bytes.subarray(position, position + length);
    const character = isUtf8(part) ? Buffer.from(part).toString() : undefined;
    if (character === undefined || hasRawBytes(character)) {
      text += String.fromCharCode(BASE + first);
      position += 1;
    } else {
      text += character;
      position += length;
    }
  }
  return text;
}

/** The bytes that a text stands for. */
export function bytesOf(text: string): Buffer {
  const pieces = text.match(PIECES) ?? [];
  return Buffer.concat(
    pieces.map((piece) => (hasRawBytes(piece) ? Buffer.of(piece.charCodeAt(0) - BASE) : Buffer.from(piece))),
  );
}
