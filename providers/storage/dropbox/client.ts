import type { IncomingMessage } from "node:http";
import type { Dropbox, DropboxRequestOptions } from "dropbox";
import { abortedError, ProviderError } from "../../errors.ts";
import { withRetries } from "../../retry.ts";
import type { AccessToken } from "../access-token.ts";
import { AnswerError, answerOf, headersOf, send, textOf } from "../http.ts";
import type { Answer, Outgoing } from "../http.ts";
import { answerIn, fromAnswer, tagsOf, unreachable } from "./errors.ts";
import { dropboxToken } from "./token.ts";
import type { Credentials } from "./token.ts";

const DOWNLOAD_URL = "https://content.dropboxapi.com/2/files/download";

/** Beyond this a request without data is taken for lost, and made again. */
const TIMEOUT_MS = 100_000;

/** Options of {@link DropboxClient}. */
export interface ClientOptions {
  readonly credentials: Credentials;
  /** The team space that paths start from. */
  readonly namespace: string | undefined;
  readonly retrySeconds: number;
}

/** A request of the SDK. */
export type SdkRequest<Result> = (
  sdk: Dropbox,
  options: DropboxRequestOptions,
) => Promise<{ readonly status: number; readonly result: Result }>;

/** What the SDK gives to `fetch`. */
interface SdkInit {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | string | null;
  readonly signal?: AbortSignal;
}

/** What a request does, for messages, and what ends it. */
export interface CallOptions {
  /** As the object of `Cannot`: `upload a/b`. */
  readonly action: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Makes requests: with a valid token, in the team's space, again where they fail for a passing reason. Every error is a
 * `ProviderError`.
 */
export class DropboxClient {
  readonly retrySeconds: number;
  readonly #sdk: Dropbox;
  readonly #token: AccessToken;
  readonly #pathRoot: string | undefined;
  readonly #closed = new AbortController();

  private constructor(Sdk: typeof Dropbox, options: ClientOptions) {
    this.retrySeconds = options.retrySeconds;
    this.#token = dropboxToken(options.credentials);
    this.#pathRoot =
      options.namespace === undefined ? undefined : JSON.stringify({ ".tag": "root", root: options.namespace });
    this.#sdk = new Sdk({
      fetch: (url: string, init: SdkInit) => this.#fetch(url, init),
      ...(this.#pathRoot === undefined ? {} : { pathRoot: this.#pathRoot }),
    });
  }

  /** Loads the SDK. */
  static async open(options: ClientOptions): Promise<DropboxClient> {
    const { Dropbox } = await import("dropbox");
    return new DropboxClient(Dropbox, options);
  }

  /** What the service answers to a request without data, after as many tries as it takes. */
  call<Result, Other = never>(
    request: SdkRequest<Result>,
    options: CallOptions,
    recognise?: (answer: Answer) => Other | undefined,
  ): Promise<Result | Other> {
    const timed: SdkRequest<Result> = (sdk, settings) => request(sdk, { ...settings, timeout: TIMEOUT_MS });
    return this.retry(() => this.once(timed, options, recognise), options.signal);
  }

  /** What the work gives, after as many tries as it takes. */
  retry<Result>(work: () => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    return withRetries(work, { retrySeconds: this.retrySeconds, ...(signal === undefined ? {} : { signal }) });
  }

  /**
   * What the service answers to a single try.
   *
   * @param recognise may make a result of an answer that says no
   */
  async once<Result, Other = never>(
    request: SdkRequest<Result>,
    { action, signal }: CallOptions,
    recognise?: (answer: Answer) => Other | undefined,
  ): Promise<Result | Other> {
    const either = this.#signal(signal);
    try {
      if (either.aborted) throw abortedError(either);
      const { result } = await request(this.#sdk, { signal: either });
      if (typeof result === "string") throw notDropbox(action);
      return result;
    } catch (error) {
      const answer = answerIn(error);
      const recognised = answer === undefined ? undefined : recognise?.(answer);
      if (recognised !== undefined) return recognised;
      throw translated(error, action, either);
    }
  }

  /** A file's bytes from an offset on. The SDK's own download keeps all of them in memory. */
  async download(path: string, start: number, { action, signal }: CallOptions): Promise<IncomingMessage> {
    const either = this.#signal(signal);
    try {
      if (either.aborted) throw abortedError(either);
      const response = await this.#send(DOWNLOAD_URL, {
        headers: {
          "Dropbox-API-Arg": headerJson({ path }),
          ...(this.#pathRoot === undefined ? {} : { "Dropbox-API-Path-Root": this.#pathRoot }),
          ...(start === 0 ? {} : { Range: `bytes=${start}-` }),
        },
        signal: either,
      });
      if (response.statusCode === (start === 0 ? 200 : 206)) return response;
      if (response.statusCode !== 200) throw new AnswerError(await answerOf(response));
      response.destroy();
      throw notDropbox(action);
    } catch (error) {
      throw translated(error, action, either);
    }
  }

  /** Ends everything that is under way. */
  close(): void {
    this.#closed.abort(new ProviderError("ABORTED", "The store was closed."));
  }

  #signal(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]);
  }

  /** What the SDK takes for `fetch`. */
  async #fetch(url: string, { headers, body, signal }: SdkInit): Promise<Response> {
    const response = await this.#send(url, {
      headers,
      ...(body === null ? {} : { body }),
      signal: signal ?? this.#closed.signal,
    });
    return new Response(await textOf(response), { status: response.statusCode ?? 0, headers: headersOf(response) });
  }

  /** A request with the access token; with a new one where the service says that it has expired, though it should not. */
  async #send(url: string, outgoing: Outgoing): Promise<IncomingMessage> {
    const sendOnce = async () => {
      const token = await this.#token.get(outgoing.signal);
      const headers = { ...outgoing.headers, Authorization: `Bearer ${token}` };
      return { token, response: await send(url, { ...outgoing, headers }) };
    };
    const { token, response } = await sendOnce();
    if (response.statusCode !== 401) return response;
    const answer = await answerOf(response);
    if (!/^(expired|invalid)_access_token$/.test(tagsOf(answer)[0] ?? "")) throw new AnswerError(answer);
    this.#token.drop(token);
    return (await sendOnce()).response;
  }
}

function translated(error: unknown, action: string, signal: AbortSignal): ProviderError {
  if (error instanceof ProviderError) return error;
  const answer = answerIn(error);
  if (answer !== undefined) return fromAnswer(answer, action);
  if (signal.aborted) return abortedError(signal);
  return unreachable(error, action);
}

function notDropbox(action: string): ProviderError {
  return new ProviderError("TRANSIENT", `Cannot ${action}: the answer is not one of Dropbox's.`, {
    fix: "Look whether a proxy answers in place of api.dropboxapi.com and content.dropboxapi.com.",
  });
}

/** JSON for a header, which takes ASCII only. */
function headerJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\u007F-\uFFFF]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
