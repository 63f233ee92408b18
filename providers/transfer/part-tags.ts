import { hash } from "node:crypto";

/**
 * What a tag tells of the bytes that it stands for: `unknown` where it is of another kind, `unlike` where it is of the right kind,
 * but may be of bytes that the store has encrypted.
 */
export type Verdict = "same" | "different" | "unlike" | "unknown";

/**
 * The tags (ETag) that S3 gives to an object and its parts, beside the MD5s of what was sent: for services that keep no
 * checksums. The tag of an object in parts is the MD5 of its parts' MD5s, with their number behind it.
 *
 * It is no MD5 where a store encrypts with keys of its own, or is configured to use something else. Then no tag fits: one that fits
 * shows that the others must.
 */
export class PartTags {
  readonly #sums: Buffer[];
  #fitting = 0;
  #others = 0;

  /** @param sums the MD5s of all parts, where they are known */
  constructor(sums: readonly Buffer[] = []) {
    this.#sums = [...sums];
  }

  /** Notes the bytes of a part, whose number counts from 1. */
  sent(part: number, bytes: Buffer): void {
    this.#sums[part - 1] = md5(bytes);
  }

  /** Compares the tag that the service gave to a part. */
  ofPart(part: number, tag: string | undefined): Verdict {
    if (plain(tag) === this.#sums[part - 1]?.toString("hex")) {
      this.#fitting += 1;
      return "same";
    }
    if (this.#fitting > 0) return "different";
    this.#others += 1;
    return "unknown";
  }

  /** Compares the tag that the service gave to an object in parts. */
  ofWhole(tag: string | undefined): Verdict {
    if (this.#fitting > 0 && this.#others > 0) return "different";
    const count = this.#sums.length;
    const expected = `${md5(Buffer.concat(this.#sums)).toString("hex")}-${count}`;
    const given = plain(tag);
    if (given === expected) return "same";
    const isOfParts = /^[0-9a-f]{32}-\d+$/.test(given) && given.endsWith(`-${count}`);
    if (this.#fitting === 0) return isOfParts ? "unlike" : "unknown";
    // Every part has arrived; only a tag of the same kind can contradict.
    return isOfParts ? "different" : "same";
  }
}

/** Whether the tag of an object in one piece is the MD5 of its bytes. It may be something else, though the bytes are right. */
export function fits(tag: string | undefined, sum: Buffer): boolean {
  return plain(tag) === sum.toString("hex");
}

/** The MD5 of bytes that are there as a whole. */
export function md5(bytes: Buffer): Buffer {
  return hash("md5", bytes, "buffer");
}

/** A tag without its quotes. */
function plain(tag = ""): string {
  return tag.replaceAll(/^W\/|"/g, "");
}
