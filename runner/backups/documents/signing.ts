import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { ProviderError } from "../../../providers/errors.ts";
import { parseTimestamp } from "../catalogue/backup-id.ts";
import { piecesOf, withoutSignature, type SealedDocument } from "./sealed-json.ts";

/** A key: 64 hexadecimal digits, before which one of `pulumi up` says when it was made. */
const KEY = /^(?:provision-key-(\d{8}T\d{6}Z)-)?([0-9a-f]{64})$/i;

/** A signature: the key's mark, which tells it from others, and the HMAC. */
const SIGNATURE = /^hmac-sha256:([0-9a-f]{8}):([0-9a-f]{64})$/;

/** Bytes of a key that is derived from another. */
const KEY_BYTES = 32;

/** A key that signs. */
class SigningKey {
  /** Tells the key from others, and nothing of it. */
  readonly mark: string;
  /** When it was made; undefined where it does not say. */
  readonly made: Date | undefined;
  readonly #bytes: Buffer;

  constructor(made: Date | undefined, bytes: Buffer) {
    this.made = made;
    this.#bytes = bytes;
    this.mark = this.hmac(["provision signing key"]).toString("hex").slice(0, 8);
  }

  hmac(pieces: Iterable<string>): Buffer {
    const hmac = createHmac("sha256", this.#bytes);
    for (const piece of pieces) hmac.update(piece);
    return hmac.digest();
  }

  derive(purpose: string): Buffer {
    return Buffer.from(hkdfSync("sha256", this.#bytes, "", purpose, KEY_BYTES));
  }
}

/** The keys of a job: the one that signs, and those that signed before. */
export class SigningKeys {
  /** What was begun before this may lack a signature; undefined where nobody knows since when there is a key. */
  readonly since: Date | undefined;
  readonly #current: SigningKey;
  readonly #all: ReadonlyMap<string, SigningKey>;

  /**
   * @param key the text of the key that signs
   * @param former the texts of those that signed before
   * @param since what the configuration says of when signing began
   * @throws ProviderError `CONFIG` where a text is no key
   */
  constructor(key: string, former: readonly string[] = [], since?: Date) {
    this.#current = parseKey(key, "signing.key");
    const others = former.map((text, index) => parseKey(text, `signing.formerKeys[${index}]`));
    this.#all = new Map([...others, this.#current].map((each) => [each.mark, each]));
    const made = [this.#current, ...others].map((each) => each.made);
    // The first of several keys began it. One that does not say when was made leaves that unknown.
    const first = made.every((time) => time !== undefined) ? new Date(Math.min(...made.map(Number))) : undefined;
    this.since = since ?? first;
  }

  /** Tells the key that signs from others. */
  get mark(): string {
    return this.#current.mark;
  }

  /**
   * Another key of 32 bytes for some purpose, always the same (HKDF-SHA-256). Nobody who knows it, or what it signs, learns anything of the
   * key that signs manifests.
   */
  derive(purpose: string): Buffer {
    return this.#current.derive(purpose);
  }

  /** The signature of a document. */
  sign(document: SealedDocument): string {
    return `hmac-sha256:${this.#current.mark}:${this.#current.hmac(signedText(document)).toString("hex")}`;
  }

  /** What is wrong with a document's signature, in words; undefined where nothing is. */
  fault(document: SealedDocument): string | undefined {
    const { signature } = document;
    if (signature === undefined) return "it has no signature";
    const [, mark = "", hex = ""] = (typeof signature === "string" ? SIGNATURE.exec(signature) : null) ?? [];
    if (mark === "") return "its signature is of no known form";
    const key = this.#all.get(mark);
    if (key === undefined)
      return `it is signed with the key ${mark}, and the job has ${[...this.#all.keys()].join(", ")}`;
    return timingSafeEqual(Buffer.from(hex, "hex"), key.hmac(signedText(withoutSignature(document))))
      ? undefined
      : "its signature is wrong";
  }
}

/**
 * What is signed of a document: its file without the two lines of the signature and the checksum, so that anybody with the key can
 * check it with `grep -v` and `openssl`.
 */
function* signedText(content: SealedDocument): Generator<string> {
  let last = "";
  for (const piece of piecesOf(content)) {
    yield last;
    last = piece;
  }
  // The last piece ends with the line of the bracket.
  yield `${last.slice(0, -"\n}".length)},\n}\n`;
}

function parseKey(text: string, at: string): SigningKey {
  const [, made, hex] = KEY.exec(text.trim()) ?? [];
  if (hex === undefined) {
    throw new ProviderError("CONFIG", `${at} is no key: it has ${text.trim().length} characters.`, {
      fix: "It must be 64 hexadecimal digits, as `openssl rand -hex 32` prints them, or a key that `pulumi up` has made.",
    });
  }
  return new SigningKey(made === undefined ? undefined : parseTimestamp(made), Buffer.from(hex, "hex"));
}
