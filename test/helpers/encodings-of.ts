/** One way in which a text may leave a program. */
export interface Encoding {
  /** What is written. */
  readonly written: string;
  /** What gives the text away: the part of it that does not depend on what stands around the text. */
  readonly trace: string;
}

/** The ways in which a text may leave a program: as it is, inside JSON, URL-encoded, and in base64 at any alignment. */
export function encodingsOf(text: string): Encoding[] {
  const plain = [text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text), encodeURI(text)];
  const base64 = [0, 1, 2].map((shift) => {
    const written = Buffer.concat([Buffer.alloc(shift, "~"), Buffer.from(text), Buffer.from("~~")]).toString("base64");
    // A character holds six bits: the first and the last may also hold some of what stands around.
    const end = Math.floor(((shift + Buffer.byteLength(text)) * 8) / 6);
    return { written, trace: written.slice(shift === 0 ? 0 : shift + 1, end) };
  });
  return [...[...new Set(plain)].map((written) => ({ written, trace: written })), ...base64];
}
