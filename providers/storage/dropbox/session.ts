import { ProviderError } from "../../errors.ts";
import type { Answer } from "../http.ts";
import type { CallOptions, DropboxClient } from "./client.ts";
import { commit, commitInfo } from "./commit.ts";
import type { Commit, FileFacts } from "./commit.ts";
import { blockHashes, contentHash } from "./content-hash.ts";
import { tagsOf } from "./errors.ts";

/**
 * An upload session: bytes are appended to it, and one last request makes a file of them. Sessions cannot be ended or
 * listed; one that is left behind is not visible, takes no room in the account, and goes after 7 days.
 */
export class UploadSession {
  readonly #client: DropboxClient;
  readonly #options: CallOptions;
  readonly #id: string;
  #offset = 0;

  private constructor(client: DropboxClient, options: CallOptions, id: string) {
    this.#client = client;
    this.#options = options;
    this.#id = id;
  }

  /** Begins a session without data: should the answer be lost, beginning another does no harm. */
  static async begin(client: DropboxClient, options: CallOptions): Promise<UploadSession> {
    const { session_id: id } = await client.call(
      (sdk, settings) => sdk.filesUploadSessionStart({ contents: Buffer.alloc(0) }, settings),
      options,
    );
    return new UploadSession(client, options, id);
  }

  /**
   * Appends bytes, whose content hash is given and which the service compares. Where the answer to a try was lost, the
   * service says with the next one how much it has, and the rest is sent.
   */
  async append(bytes: Buffer, hash: string): Promise<void> {
    const start = this.#offset;
    const end = start + bytes.length;
    while (this.#offset < end) {
      const rest = bytes.subarray(this.#offset - start);
      const restHash = rest.length === bytes.length ? hash : contentHash(blockHashes(rest));
      const answer = await this.#client.retry(() => this.#send(rest, restHash), this.#options.signal);
      if (answer === "gone") throw this.#gone();
      if (answer.held <= this.#offset || answer.held > end) throw this.#wrongOffset(answer.held);
      this.#offset = answer.held;
    }
  }

  /** Makes a file of all that was appended. */
  finish(file: Commit): Promise<FileFacts> {
    const request = { cursor: this.#cursor, commit: commitInfo(file), contents: Buffer.alloc(0) };
    return commit(
      this.#client,
      file,
      (sdk, settings) => sdk.filesUploadSessionFinish(request, settings),
      { ...this.#options, kind: "commit" },
      (answer) => (isGone(answer) ? this.#gone() : this.#wrongAtEnd(answer)),
    );
  }

  get #cursor(): { session_id: string; offset: number } {
    return { session_id: this.#id, offset: this.#offset };
  }

  async #send(contents: Buffer, hash: string): Promise<"gone" | { held: number }> {
    const cursor = this.#cursor;
    return this.#client.once(
      async (sdk, settings) => {
        const request = { cursor, contents, content_hash: hash };
        const { status, result }: { status: number; result: unknown } = await sdk.filesUploadSessionAppendV2(
          request,
          settings,
        );
        return { status, result: result === null ? { held: cursor.offset + contents.length } : (result as never) };
      },
      this.#options,
      (answer) => (isGone(answer) ? "gone" : heldIn(answer)),
    );
  }

  #gone(): ProviderError {
    const problem = `Cannot ${this.#options.action}: Dropbox does not know the upload session any more`;
    return new ProviderError("TRANSIENT", `${problem}, which held ${this.#offset} bytes.`, {
      fix: "Start the backup again. A session lives for 7 days: an upload that takes longer needs a faster connection.",
    });
  }

  #wrongAtEnd(answer: Answer): ProviderError | undefined {
    const held = heldIn(answer)?.held;
    return held === undefined ? undefined : this.#wrongOffset(held);
  }

  #wrongOffset(held: number): ProviderError {
    const problem = `Cannot ${this.#options.action}: Dropbox holds ${held} bytes of it, where it had ${this.#offset}.`;
    return new ProviderError("INTEGRITY", problem, { fix: "Start the backup again; its source cannot be read twice." });
  }
}

/** Whether the service does not know the session any more, or has made a file of it already. */
function isGone(answer: Answer): boolean {
  return /^(lookup_failed,)?(not_found|closed)$/.test(String(tagsOf(answer)));
}

/** How many bytes the service says that it holds, where it was sent others than the next ones. */
function heldIn(answer: Answer): { held: number } | undefined {
  if (!tagsOf(answer).includes("incorrect_offset")) return undefined;
  const { error } = answer.body as {
    error?: { lookup_failed?: { correct_offset?: unknown }; correct_offset?: unknown };
  };
  const held = (error?.lookup_failed ?? error)?.correct_offset;
  return typeof held === "number" ? { held } : undefined;
}
