/** One fault, put into the product on purpose, and the tests that must find it. */
export interface Mutation {
  readonly name: string;
  /** The file that is changed, the text in it that is replaced once, and what by. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** A file of tests, and the names of the tests in it, as `vitest -t` takes them. */
  readonly tests: string;
  readonly named: string;
}

const storage = "test/providers/storage";

function mutation(
  name: string,
  file: string,
  change: readonly [string, string],
  tests: string,
  named: string,
): Mutation {
  const [from, to] = change;
  return { name, file, from, to, tests, named };
}

/** Faults in what many tests had been thinned out for, and some everywhere else. */
export const MUTATIONS: readonly Mutation[] = [
  mutation(
    "a source that fails counts as whole",
    "providers/transfer/pump.ts",
    [
      "const onSourceError = (error: unknown) => {\n      settle(toProviderError(error));",
      "const onSourceError = () => {\n      settle();",
    ],
    `${storage}/filesystem/contract.test.ts`,
    "fails.*in the middle",
  ),
  mutation(
    "a source that was read already counts as whole",
    "providers/transfer/pump.ts",
    [
      "} else if (source.destroyed || source.readableEnded) {",
      "} else if (source.readableEnded) {\n      settle();\n    } else if (source.destroyed) {",
    ],
    `${storage}/filesystem/contract.test.ts`,
    "been read already",
  ),
  mutation(
    "a buffer is filled again while its part is on its way",
    "providers/transfer/chunker.ts",
    ["if (!kept) giveBack();", "if (kept || !kept) giveBack();"],
    `${storage}/s3/contract.test.ts`,
    "gives back|points",
  ),
  mutation(
    "a chunk loses its last byte",
    "providers/transfer/chunker.ts",
    ["length, last: false", "length: length - 1, last: false"],
    `${storage}/google-drive/contract.test.ts`,
    "gives back",
  ),
  mutation(
    "there are buffers without end",
    "providers/transfer/chunker.ts",
    ["if (this.#used >= this.#most(room)) return false;", "if (this.#used >= 1000 * this.#most(room)) return false;"],
    `${storage}/supabase/contract.test.ts`,
    "does not read ahead",
  ),
  mutation(
    "a part that fails does not end the others",
    "providers/transfer/parts-under-way.ts",
    ["        this.#watchdog.end(toProviderError(error));\n", "        void error;\n"],
    `${storage}/dropbox.test.ts`,
    "holds other bytes than it was sent",
  ),
  mutation(
    "the sum of a dump is that of its copy",
    "runner/stream/feed.ts",
    [
      "      meter.update(chunk);\n      for (let taken = 0; taken < chunk.length;) {\n        const copied = chunk.copy(slab, filled, taken);\n",
      "      for (let taken = 0; taken < chunk.length;) {\n        const copied = chunk.copy(slab, filled, taken);\n" +
        "        meter.update(slab.subarray(filled, filled + copied));\n",
    ],
    "test/runner/stream/feed.test.ts",
    "a byte that is changed on the way",
  ),
  mutation(
    "parts are not waited for",
    "providers/transfer/parts-under-way.ts",
    ["await Promise.all(this.#parts);", "await Promise.race([...this.#parts, 0]);"],
    `${storage}/dropbox/contract.test.ts`,
    "gives back",
  ),
  mutation(
    "bytes that move do not set the watch back",
    "providers/transfer/watchdog.ts",
    ["this.#timer.refresh();\n  };", "};"],
    `${storage}/filesystem/contract.test.ts`,
    "merely slow",
  ),
  mutation(
    "a slow reader is a stall",
    "providers/transfer/watchdog.ts",
    ["if (this.#paused) return;", ""],
    `${storage}/google-drive/contract.test.ts`,
    "whose reader is slow",
  ),
  mutation(
    "a stall never ends an upload",
    "providers/transfer/watchdog.ts",
    ['      this.end(new ProviderError("TRANSIENT", problem, { fix }));', "      this.end.name.concat(problem, fix);"],
    `${storage}/google-drive/contract.test.ts`,
    "at any of .* never hangs",
  ),
  mutation(
    "the source of an upload that was refused goes on",
    "providers/transfer/watched-transfer.ts",
    ["    source.destroy();\n", ""],
    `${storage}/filesystem/contract.test.ts`,
    "is never overwritten",
  ),
  mutation(
    "one silent request may last as long as its transfer",
    "providers/http/watched-request.ts",
    ["stallTimeoutSeconds / 2);", "stallTimeoutSeconds * 2);"],
    `${storage}/dropbox.test.ts`,
    "at files/upload does not end",
  ),
  mutation(
    "a part that is there already is a failure",
    "providers/storage/dropbox/session.ts",
    [
      'if (held === offset + bytes.length || (last && tag === "closed")) return',
      'if (held === -1 || (last && tag === "none")) return',
    ],
    `${storage}/dropbox.test.ts`,
    "part that closes the session",
  ),
  mutation(
    "what cannot be sent twice is sent from its start",
    "providers/storage/google-drive/session.ts",
    ["const rest = bytes.subarray(this.#offset - start);", "const rest = bytes.subarray(0);"],
    `${storage}/google-drive/contract-through-faults.test.ts`,
    "gives back",
  ),
  mutation(
    "Google is not asked what it has after a failure",
    "providers/storage/google-drive/session.ts",
    ["const known = attempt === 1 ? undefined", "const known = attempt >= 1 ? undefined"],
    `${storage}/google-drive.test.ts`,
    "at any of 100 points",
  ),
  mutation(
    "a session that was given up is not cancelled",
    "providers/storage/google-drive/session.ts",
    [
      '    await this.#client\n      .ask(this.#url, { method: "DELETE"',
      '    if (CANCEL_MS > 0) return;\n    await this.#client\n      .ask(this.#url, { method: "DELETE"',
    ],
    `${storage}/google-drive/contract.test.ts`,
    "at any of .* points",
  ),
  mutation(
    "Supabase is taken to have nothing after a failure",
    "providers/supabase/resumable.ts",
    ["    this.#offset = held;\n", "    this.#offset = start;\n"],
    `${storage}/supabase.test.ts`,
    "random points of failure",
  ),
  mutation(
    "the last bytes are sent whole, though a part is there",
    "providers/supabase/resumable.ts",
    ["const rest = bytes.subarray(bytes.length - (size - this.#offset));", "const rest = bytes.subarray(0);"],
    `${storage}/supabase.test.ts`,
    "in the middle of the last chunk|of the last",
  ),
  mutation(
    "chunks of Supabase stay in memory",
    "providers/supabase/resumable.ts",
    [
      '    const outgoing = { method: "PATCH", headers, body: bytes };\n',
      '    ((globalThis as { kept?: Buffer[] }).kept ??= []).push(Buffer.from(bytes));\n    const outgoing = { method: "PATCH", headers, body: bytes };\n',
    ],
    `${storage}/supabase.test.ts`,
    "holds a bounded part",
  ),
  mutation(
    "every second chunk of Dropbox stays in memory",
    "providers/storage/dropbox/session.ts",
    [
      "    const cursor = { session_id: this.#id, offset };\n",
      "    const cursor = { session_id: this.#id, offset };\n    if (offset % (32 * 1024 * 1024) === 0) ((globalThis as { kept?: Buffer[] }).kept ??= []).push(Buffer.from(bytes));\n",
    ],
    `${storage}/dropbox.test.ts`,
    "holds a bounded part",
  ),
  mutation(
    "an upload in parts that may be there twice is forgotten",
    "providers/storage/s3/multipart.ts",
    ["this.#mayHaveTwin = tries > 1;", "this.#mayHaveTwin = false;"],
    `${storage}/s3.test.ts`,
    "lost|twin|twice",
  ),
  mutation(
    "a listing of S3 ends after its first page",
    "providers/storage/s3/listing.ts",
    ["token = page.NextContinuationToken;", "token = undefined;"],
    `${storage}/s3/contract.test.ts`,
    "gives over 1,000 objects",
  ),
  mutation(
    "a download begins at its start again",
    "providers/transfer/download.ts",
    ["await open(this.#received, watchdog.signal)", "await open(0, watchdog.signal)"],
    `${storage}/supabase.test.ts`,
    "goes on where the connection was cut",
  ),
  mutation(
    "a download's checksum is not compared",
    "providers/transfer/download.ts",
    ["if (checksum?.matches() === false) {", "if (checksum?.matches() === false && size < 0) {"],
    `${storage}/s3.test.ts`,
    "notices a changed byte",
  ),
  mutation(
    "a block's hash begins in the block before",
    "providers/transfer/block-hashes.ts",
    ["    this.#inBlock = 0;\n  }", "    this.#inBlock = 1;\n  }"],
    `${storage}/dropbox/contract.test.ts`,
    "gives back",
  ),
  mutation(
    "an answer that was lost is a failure",
    "providers/transfer/commit-request.ts",
    ['doubtful ||= code === "TRANSIENT" || code === "ABORTED";', 'doubtful ||= code === "INTERNAL";'],
    `${storage}/s3.test.ts`,
    "lost",
  ),
  mutation(
    "a file of another size is no damage",
    "providers/storage/filesystem/store.ts",
    ["if (size !== sink.bytes) throw", "if (size < 0) throw"],
    `${storage}/filesystem/contract.test.ts`,
    "notices a store",
  ),
  mutation(
    "a partial file stays",
    "providers/storage/filesystem/store.ts",
    ["        await unlink(unfinished.partial).catch(() => undefined);\n", ""],
    `${storage}/filesystem/contract.test.ts`,
    "at any of .* points",
  ),
  mutation(
    "a service's wish to wait is not heard",
    "providers/retry.ts",
    ["if (error.retryAfterMs !== undefined) return", "if (error.retryAfterMs === -1) return"],
    "test/providers/retry.test.ts",
    "",
  ),
  mutation(
    "the newest verified backup may go",
    "runner/catalogue/retention.ts",
    ["new Set([newestVerified, ...chosen(verified, rule)", "new Set([...chosen(verified, rule)"],
    "test/runner/catalogue/retention.test.ts",
    "",
  ),
  mutation(
    "prune removes a manifest last",
    "runner/prune.ts",
    ["  await storage.remove([manifest], { signal });\n", ""],
    "test/runner/prune.test.ts",
    "",
  ),
  mutation(
    "a lease that is renewed is taken over",
    "runner/lease.ts",
    ["if (now.newest !== shown.newest) throw", "if (now.newest < shown.newest) throw"],
    "test/runner/backup/leases.test.ts",
    "finds another's lease",
  ),
  mutation(
    "a lease is judged by what it says of its time",
    "runner/lease.ts",
    [
      "if (performance.now() - beginning >= deadMs) return now;",
      "if (holder && Date.parse(holder.validUntil) < Date.now()) return now;",
    ],
    "test/runner/lease.test.ts",
    "of a run that held",
  ),
  mutation(
    "a secret in base64 is shown",
    "runner/redact.ts",
    ["encodeURI(value), ...base64]", "encodeURI(value), ...base64.slice(0, 0)]"],
    "test/runner/redact.test.ts",
    "",
  ),
  mutation(
    "the backup's role may not end an upload",
    "providers/storage/s3/permissions.ts",
    ['["s3:GetObject", "s3:AbortMultipartUpload"]', '["s3:GetObject"]'],
    "test/components/aws/iam.test.ts",
    "",
  ),
];
