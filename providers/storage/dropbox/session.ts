import { ProviderError } from "../../errors.ts";
import type { Chunk } from "../../transfer/chunker.ts";
import type { Answer } from "../../http/http.ts";
import type { DropboxClient } from "./client.ts";
import type { CallOptions } from "../../http/service-client.ts";
import { commit, commitInfo } from "./commit.ts";
import type { Commit, FileFacts } from "./commit.ts";
import { tagsOf } from "./errors.ts";

/**
 * An upload session: parts are sent to it, several at the same time and in any order, and one last request makes a file of
 * them. Sessions cannot be ended or listed; one that is left behind is not visible, takes no room in the account, and goes
 * after 7 days.
 */
export class UploadSession {
  readonly #client: DropboxClient;
  readonly #options: CallOptions;
  readonly #id: string;

  private constructor(client: DropboxClient, options: CallOptions, id: string) {
    this.#client = client;
    this.#options = options;
    this.#id = id;
  }

  /** Begins a session: should the answer be lost, beginning another does no harm. */
  static async begin(client: DropboxClient, options: CallOptions): Promise<UploadSession> {
    const { session_id: id } = await client.call(
      (sdk, settings) =>
        sdk.filesUploadSessionStart({ contents: Buffer.alloc(0), session_type: { ".tag": "concurrent" } }, settings),
      options,
    );
    return new UploadSession(client, options, id);
  }

  /**
   * Sends a part, whose content hash is given and which the service compares. The last one closes the session: it is sent
   * when all others are there.
   *
   * Where the answer to a try was lost, the service may say to the next one that it has the part, or that the session is
   * closed. What it really has is compared once a file is made of it.
   */
  async send({ bytes, offset, last }: Chunk, hash: string): Promise<void> {
    const cursor = { session_id: this.#id, offset };
    const refusal = await this.#client.call<unknown, ProviderError | "is there">(
      (sdk, settings) =>
        sdk.filesUploadSessionAppendV2({ cursor, contents: bytes, close: last, content_hash: hash }, settings),
      this.#options,
      (answer) => {
        const { tag, held } = sessionError(answer);
        if (held === offset + bytes.length || (last && tag === "closed")) return "is there";
        return this.#refused(answer, offset);
      },
    );
    if (refusal instanceof ProviderError) throw refusal;
  }

  /** Makes a file of all that was sent. */
  finish(file: Commit): Promise<FileFacts> {
    const cursor = { session_id: this.#id, offset: file.size };
    const request = { cursor, commit: commitInfo(file), contents: Buffer.alloc(0) };
    return commit(
      this.#client,
      file,
      (sdk, settings) => sdk.filesUploadSessionFinish(request, settings),
      { ...this.#options, kind: "commit" },
      (answer) => this.#refused(answer, file.size),
    );
  }

  /** The error for what the service says of the session, after which trying again is of no use. */
  #refused(answer: Answer, at: number): ProviderError | undefined {
    const { tag, held } = sessionError(answer);
    const cannot = `Cannot ${this.#options.action}: Dropbox`;
    if (tag === "not_found" || tag === "closed") {
      return new ProviderError("TRANSIENT", `${cannot} does not know the upload session any more, at byte ${at}.`, {
        fix: "Start the backup again. A session lives for 7 days: an upload that takes longer needs a faster connection.",
      });
    }
    if (!/^(incorrect_offset|concurrent_session_(missing_data|not_closed))$/.test(tag ?? "")) return undefined;
    const what = held === undefined ? "lacks parts of it" : `holds ${held} bytes of it`;
    return new ProviderError("INTEGRITY", `${cannot} ${what}, at byte ${at}.`, {
      fix: "Start the backup again; its source cannot be read twice.",
    });
  }
}

/** What an answer says of the session, and how many bytes it holds if it says so. The request that makes a file wraps it. */
function sessionError(answer: Answer): { readonly tag: string | undefined; readonly held: number | undefined } {
  const tags = tagsOf(answer);
  const { error } = (answer.body ?? {}) as {
    error?: { lookup_failed?: { correct_offset?: unknown }; correct_offset?: unknown };
  };
  const held = (error?.lookup_failed ?? error)?.correct_offset;
  return {
    tag: tags[0] === "lookup_failed" ? tags[1] : tags[0],
    held: typeof held === "number" ? held : undefined,
  };
}
