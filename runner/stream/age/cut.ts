/** No bytes. */
export const NOTHING: Buffer = Buffer.alloc(0);

/**
 * Cuts what is left of earlier bytes, at most a chunk, and what has come behind them into chunks of a size. Where there are any
 * bytes, between one and a whole chunk are left: they may be the last chunk, which is marked as such. They are copied, as they
 * would hold all of `more` until the next bytes come; the others are copied only where a chunk lies in both.
 */
export function cut(left: Buffer, more: Buffer, size: number): { chunks: readonly Buffer[]; left: Buffer } {
  const chunks: Buffer[] = [];
  let rest = left;
  let from = 0;
  while (rest.length + more.length - from > size) {
    chunks.push(joined(rest, more.subarray(from, (from += size - rest.length))));
    rest = NOTHING;
  }
  return { chunks, left: Buffer.concat([rest, more.subarray(from)]) };
}

/** Two pieces as one. */
export function joined(first: Buffer, second: Buffer): Buffer {
  if (first.length === 0) return second;
  return second.length === 0 ? first : Buffer.concat([first, second]);
}
