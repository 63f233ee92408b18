import { ProviderError } from "../../errors.ts";
import { withGrace } from "../../fields/grace.ts";
import type { Answer } from "../../http/http.ts";
import type { DriveClient, RawRequest } from "./client.ts";
import type { CallOptions } from "../../http/service-client.ts";
import { notGoogle } from "./errors.ts";
import { factsOf } from "./files.ts";
import type { DriveFile } from "./files.ts";
import { UPLOAD_URL } from "./upload-url.ts";

/** What is sent at once must be a multiple of this, except for the last (the service's own rule). */
export const GRAIN_BYTES = 256 * 1024;

/** Ending a session is a courtesy, which must not take long. */
const CANCEL_MS = 1_000;

/** What the service has of a session: some bytes, or a file that was made of all of them, or nothing any more. */
type State = { readonly held: number } | { readonly file: DriveFile } | "gone";

/**
 * A resumable upload: bytes are sent one part after the other, and the file appears with the last. One that is left behind is
 * not visible, cannot be listed, and goes after a week.
 */
export class UploadSession {
  readonly #client: DriveClient;
  readonly #options: CallOptions;
  /** Anyone who knows it can add to the upload, so it is shown nowhere. */
  readonly #url: string;
  #offset = 0;

  private constructor(client: DriveClient, options: CallOptions, url: string) {
    this.#client = client;
    this.#options = options;
    this.#url = url;
  }

  /**
   * Begins a session. Should the answer be lost, beginning another does no harm. An abort ends it only after a grace: till then it
   * may give a session all the same, which is to be cancelled.
   */
  static async begin(
    client: DriveClient,
    metadata: Readonly<Record<string, unknown>>,
    options: CallOptions,
  ): Promise<UploadSession> {
    const { action, signal } = options;
    const begin = async (late: AbortSignal) => {
      const request: RawRequest = {
        method: "POST",
        headers: {
          "Content-Type": "application/json; charset=UTF-8",
          "X-Upload-Content-Type": "application/octet-stream",
        },
        body: JSON.stringify(metadata),
      };
      const answer = await client.ask(`${UPLOAD_URL}&uploadType=resumable`, request, {
        ...options,
        signal: late,
      });
      if (answer.status !== 200) throw client.refusal(answer, action);
      return sessionUrl(answer, action);
    };
    // A session whose response was cut off could not be cancelled: its address would not be known.
    const url = await withGrace(signal, (late) => client.retry(() => begin(late), options));
    return new UploadSession(client, options, url);
  }

  /** Sends bytes, whose number is a multiple of {@link GRAIN_BYTES} and which are not the last. */
  async append(bytes: Buffer): Promise<void> {
    const file = await this.#transfer(bytes, undefined, this.#options.signal);
    if (file !== undefined) throw this.#wrongOffset("a whole file");
  }

  /** Sends the last bytes, and so makes the file. */
  async finish(bytes: Buffer, signal: AbortSignal): Promise<DriveFile> {
    const file = await this.#transfer(bytes, this.#offset + bytes.length, signal);
    if (file === undefined) throw notGoogle(this.#options.action);
    return file;
  }

  /** Ends the session: no file will come of it. Whether that was of use is not known. */
  async cancel(): Promise<void> {
    const { action } = this.#options;
    await this.#client
      .ask(this.#url, { method: "DELETE", headers: {} }, { action, signal: AbortSignal.timeout(CANCEL_MS) })
      .catch(() => undefined);
  }

  /**
   * Sends bytes, where they are not the last until the service has all of them. After a try that failed the service is asked
   * how much it has, and the rest is sent.
   *
   * @param total the size of the whole, where these are the last
   */
  async #transfer(bytes: Buffer, total: number | undefined, signal: AbortSignal | undefined) {
    const start = this.#offset;
    const end = start + bytes.length;
    const whole = total === undefined ? "*" : String(total);
    const options: CallOptions = { ...this.#options, signal, kind: total === undefined ? "request" : "commit" };
    for (;;) {
      const state = await this.#client.retry(async (attempt) => {
        const known = attempt === 1 ? undefined : await this.#put(Buffer.alloc(0), `bytes */${whole}`, options);
        if (known !== undefined && !(typeof known === "object" && "held" in known && known.held === this.#offset)) {
          return known;
        }
        const rest = bytes.subarray(this.#offset - start);
        const range = rest.length === 0 ? "*" : `${this.#offset}-${end - 1}`;
        const after = await this.#put(rest, `bytes ${range}/${whole}`, options);
        if (typeof after === "object" && "held" in after && after.held === this.#offset) throw this.#nothingTaken();
        return after;
      }, this.#options);
      if (state === "gone") throw this.#gone();
      if ("file" in state) return state.file;
      if (state.held < this.#offset || state.held > end) throw this.#wrongOffset(`${state.held} bytes`);
      this.#offset = state.held;
      if (this.#offset === end && total === undefined) return undefined;
    }
  }

  async #put(body: Buffer, range: string, options: CallOptions): Promise<State> {
    const headers = { "Content-Range": range, "Content-Type": "application/octet-stream" };
    const answer = await this.#client.ask(this.#url, { method: "PUT", headers, body }, options);
    const { status } = answer;
    if (status === 308) return { held: heldBy(answer) };
    if (status === 200 || status === 201) return { file: factsOf(Object(answer.body) as object, options.action) };
    if (status === 404 || status === 410) return "gone";
    throw this.#client.refusal(answer, options.action);
  }

  #gone(): ProviderError {
    const problem = `Cannot ${this.#options.action}: Google does not know the upload session any more`;
    return new ProviderError("TRANSIENT", `${problem}, which held ${this.#offset} bytes.`, {
      fix: "Start the backup again. A session lives for a week: an upload that takes longer needs a faster connection.",
    });
  }

  #nothingTaken(): ProviderError {
    const problem = `Cannot ${this.#options.action}: Google took none of the bytes after the first ${this.#offset}.`;
    return new ProviderError("TRANSIENT", problem, { fix: "Try again later." });
  }

  #wrongOffset(held: string): ProviderError {
    const problem = `Cannot ${this.#options.action}: Google holds ${held} of it, where it had ${this.#offset} bytes.`;
    return new ProviderError("INTEGRITY", problem, { fix: "Start the backup again; its source cannot be read twice." });
  }
}

/** How many bytes an answer says that the service holds: it names the last, or none. */
function heldBy({ headers }: Answer): number {
  const last = /^bytes=0-(\d+)$/.exec(headers.get("range") ?? "")?.[1];
  return last === undefined ? 0 : Number(last) + 1;
}

/** The session's own URL, if it is one of Google's: the access token goes there. */
function sessionUrl({ headers }: Answer, action: string): string {
  const location = headers.get("location") ?? "";
  const url = URL.canParse(location) ? new URL(location) : undefined;
  if (url?.protocol !== "https:" || !url.hostname.endsWith(".googleapis.com")) throw notGoogle(action);
  return url.href;
}
