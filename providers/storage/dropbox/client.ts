import type { IncomingMessage } from "node:http";
import type { Dropbox, DropboxRequestOptions } from "dropbox";
import { ProviderError } from "../../errors.ts";
import { withRetries } from "../../retry.ts";
import type { AccessToken } from "../../http/access-token.ts";
import { AnswerError, answerOf, headersOf, textOf } from "../../http/http.ts";
import type { Answer, Outgoing } from "../../http/http.ts";
import { currentCall, stallSeconds, watchedRequest } from "../../http/watched-request.ts";
import type { Call } from "../../http/watched-request.ts";
import { answerIn, fromAnswer, tagsOf, unreachable } from "./errors.ts";
import { dropboxToken } from "./token.ts";
import type { Credentials } from "./token.ts";

const DOWNLOAD_URL = "https://content.dropboxapi.com/2/files/download";

/** Options of {@link DropboxClient}. */
export interface ClientOptions {
  readonly credentials: Credentials;
  /** The team space that paths start from. */
  readonly namespace: string | undefined;
  readonly retrySeconds: number;
  readonly stallTimeoutSeconds: number;
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
}

/** What a request does, for messages, and what ends it. */
export interface CallOptions {
  /** As the object of `Cannot`: `upload a/b`. */
  readonly action: string;
  readonly signal: AbortSignal | undefined;
  /** Called for each piece of a body that goes. */
  readonly moved?: (() => void) | undefined;
  /** Default `request`: see {@link stallSeconds}. */
  readonly kind?: "request" | "commit";
}

/**
 * Makes requests: with a valid token, in the team's space, with a limit to their silence, again where they fail for a passing
 * reason. Every error is a `ProviderError`.
 */
export class DropboxClient {
  readonly retrySeconds: number;
  readonly stallTimeoutSeconds: number;
  readonly #sdk: Dropbox;
  readonly #token: AccessToken;
  readonly #pathRoot: string | undefined;
  readonly #closed = new AbortController();

  private constructor(Sdk: typeof Dropbox, options: ClientOptions) {
    this.retrySeconds = options.retrySeconds;
    this.stallTimeoutSeconds = options.stallTimeoutSeconds;
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

  /** What the service answers, after as many tries as it takes. */
  call<Result, Other = never>(
    request: SdkRequest<Result>,
    options: CallOptions,
    recognise?: (answer: Answer) => Other | undefined,
  ): Promise<Result | Other> {
    return this.retry(() => this.once(request, options, recognise), options.signal);
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
    options: CallOptions,
    recognise?: (answer: Answer) => Other | undefined,
  ): Promise<Result | Other> {
    return this.#watched(options, async ({ signal }) => {
      try {
        const { result } = await request(this.#sdk, { signal });
        if (typeof result === "string") throw notDropbox(options.action);
        return result;
      } catch (error) {
        const answer = answerIn(error);
        const recognised = answer === undefined ? undefined : recognise?.(answer);
        if (recognised !== undefined) return recognised;
        throw error;
      }
    });
  }

  /** A file's bytes from an offset on. The SDK's own download keeps all of them in memory. */
  async download(path: string, start: number, options: CallOptions): Promise<IncomingMessage> {
    return this.#watched(options, async (call) => {
      const response = await this.#send(DOWNLOAD_URL, {
        headers: {
          "Dropbox-API-Arg": headerJson({ path }),
          ...(this.#pathRoot === undefined ? {} : { "Dropbox-API-Path-Root": this.#pathRoot }),
          ...(start === 0 ? {} : { Range: `bytes=${start}-` }),
        },
        ...call,
      });
      if (response.statusCode === (start === 0 ? 200 : 206)) return response;
      if (response.statusCode !== 200) throw new AnswerError(await answerOf(response, call.moved));
      response.destroy();
      throw notDropbox(options.action);
    });
  }

  /** Ends everything that is under way. */
  close(): void {
    this.#closed.abort(new ProviderError("ABORTED", "The store was closed."));
  }

  async #watched<Result>(options: CallOptions, work: (call: Call) => Promise<Result>): Promise<Result> {
    const { action, signal, kind } = options;
    const either = signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]);
    const limits = { stallSeconds: stallSeconds(this.stallTimeoutSeconds, kind), signal: either };
    try {
      return await watchedRequest({ request: `request to ${action}`, moved: options.moved, ...limits }, work);
    } catch (error) {
      if (error instanceof ProviderError) throw error;
      const answer = answerIn(error);
      throw answer === undefined ? unreachable(error, action) : fromAnswer(answer, action);
    }
  }

  /** What the SDK takes for `fetch`. */
  async #fetch(url: string, { headers, body }: SdkInit): Promise<Response> {
    const call = currentCall();
    const response = await this.#send(url, { headers, ...(body === null ? {} : { body }), ...call });
    const text = await textOf(response, call.moved);
    return new Response(text, { status: response.statusCode ?? 0, headers: headersOf(response) });
  }

  /** A request with the access token. */
  #send(url: string, outgoing: Outgoing): Promise<IncomingMessage> {
    return this.#token.send(url, outgoing, (answer) =>
      /^(expired|invalid)_access_token$/.test(tagsOf(answer)[0] ?? ""),
    );
  }
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
