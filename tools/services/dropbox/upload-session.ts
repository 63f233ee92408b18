import { BLOCK, BlockHasher } from "./block-hasher.ts";
import type { Body } from "./body.ts";
import { checkHash } from "./check-hash.ts";
import { malformed, refuse } from "./refusal.ts";
import type { Json } from "./refusal.ts";

/** All bytes of a session. */
export interface Whole {
  readonly chunks: readonly Buffer[];
  readonly size: number;
  readonly hash: string;
}

/** What the service says to a part of a concurrent session that is there already: its documentation leaves it open. */
export type Repeated = "accepted" | "incorrect_offset";

/** Bytes of which no file was made yet. */
export interface UploadSession {
  /** Takes the bytes of one request. */
  append(args: Json, body: Body, repeated: Repeated): void;
  /** Takes the bytes of the last request, and gives all of them. */
  finish(args: Json, body: Body): Whole;
  /** Takes no more, not even a second end. */
  shut(): void;
}

/** A session as a request begins it. */
export function beginSession(endpoint: string, args: Json, body: Body): UploadSession {
  const type = (args.session_type as { ".tag": string } | undefined)?.[".tag"] ?? "sequential";
  if (type === "concurrent") {
    if (body.size > 0) throw refuse("concurrent_session_data_not_allowed");
    if (args.close === true) throw refuse("concurrent_session_close_not_allowed");
    return new ConcurrentSession();
  }
  if (type !== "sequential") throw malformed(endpoint, `session_type: unknown tag '${type}'`);
  const session = new SequentialSession();
  session.append({ ...args, cursor: { offset: 0 } }, body);
  return session;
}

/** Each request goes on where the one before has ended. */
class SequentialSession implements UploadSession {
  readonly #chunks: Buffer[] = [];
  readonly #hasher = new BlockHasher();
  #size = 0;
  #closed = false;

  append(args: Json, body: Body): void {
    // What was hashed when it arrived is not hashed once more, unless its blocks are not the session's.
    this.#add("", args, body, body.size % BLOCK === 0);
  }

  finish(args: Json, body: Body): Whole {
    this.#add("lookup_failed/", args, body, true);
    return { chunks: this.#chunks, size: this.#size, hash: this.#hasher.digest() };
  }

  shut(): void {
    this.#closed = true;
  }

  /** @param endsBlock whether nothing comes after it in the block with which it ends */
  #add(prefix: string, args: Json, body: Body, endsBlock: boolean): void {
    if (this.#closed) throw refuse(`${prefix}closed`);
    if (offsetIn(args) !== this.#size) throw refuse(`${prefix}incorrect_offset`, { correct_offset: this.#size });
    checkHash(args, body);
    const aligned = this.#size % BLOCK === 0 && endsBlock;
    if (!aligned && body.size > 0 && body.pieces.length === 0) throw new Error("One that forgets takes whole blocks.");
    if (aligned) this.#hasher.join(body.hasher);
    else for (const piece of body.pieces) this.#hasher.update(piece);
    this.#size += body.size;
    this.#chunks.push(...body.pieces);
    if (args.close === true) this.#closed = true;
  }
}

/** Requests come in any order, several at the same time: each brings whole blocks, but for the one that closes the session. */
class ConcurrentSession implements UploadSession {
  readonly #parts = new Map<number, Body>();
  #closed = false;
  #shut = false;

  append(args: Json, body: Body, repeated: Repeated): void {
    if (this.#closed) throw refuse("closed");
    const offset = offsetIn(args);
    if (offset % BLOCK !== 0) throw refuse("concurrent_session_invalid_offset");
    if (body.size % BLOCK !== 0 && args.close !== true) throw refuse("concurrent_session_invalid_data_size");
    checkHash(args, body);
    const known = this.#parts.get(offset);
    if (known !== undefined && (known.size !== body.size || repeated === "incorrect_offset")) {
      throw refuse("incorrect_offset", { correct_offset: offset + known.size });
    }
    this.#parts.set(offset, body);
    if (args.close === true) this.#closed = true;
  }

  finish(args: Json, body: Body): Whole {
    if (this.#shut) throw refuse("lookup_failed/closed");
    if (body.size > 0) throw refuse("concurrent_session_data_not_allowed");
    if (!this.#closed) throw refuse("concurrent_session_not_closed");
    const chunks: Buffer[] = [];
    const hasher = new BlockHasher();
    let size = 0;
    for (const [offset, part] of [...this.#parts].sort(([one], [other]) => one - other)) {
      if (offset !== size) throw refuse("concurrent_session_missing_data");
      chunks.push(...part.pieces);
      hasher.join(part.hasher);
      size += part.size;
    }
    if (offsetIn(args) !== size) throw refuse("lookup_failed/incorrect_offset", { correct_offset: size });
    return { chunks, size, hash: hasher.digest() };
  }

  shut(): void {
    this.#shut = true;
  }
}

function offsetIn(args: Json): number {
  return (args.cursor as { offset: number }).offset;
}
