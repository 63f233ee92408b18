import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingMessage } from "node:http";
import type { SupabaseClient as Sdk } from "@supabase/supabase-js";
import { ProviderError } from "../errors.ts";
import { withRetries } from "../retry.ts";
import { AnswerError, answerOf, send } from "../http/http.ts";
import type { Outgoing } from "../http/http.ts";
import { stallSeconds, watchedRequest } from "../http/watched-request.ts";
import type { Call } from "../http/watched-request.ts";
import { fromAnswer, unreachable } from "./errors.ts";

/** Options of {@link SupabaseClient}. */
export interface ClientOptions {
  /** The project's URL. */
  readonly url: string;
  readonly key: string;
  readonly retrySeconds: number;
  readonly stallTimeoutSeconds: number;
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

/** The storage part of the SDK. */
type SdkStorage = Sdk["storage"];

/** A request of the SDK, which returns errors instead of throwing them. */
export type SdkRequest<Data> = (
  storage: SdkStorage,
) => Promise<{ readonly data: Data | null; readonly error: Error | null }>;

/** A request of the SDK under way. */
interface SdkCall extends Call {
  /** Why it failed, which the SDK tells only in part. */
  failure?: unknown;
}

/**
 * Makes requests to a project's Storage: with the key in headers alone, with a limit to their silence, again where they fail
 * for a passing reason. Every error is a `ProviderError`.
 */
export class SupabaseClient {
  readonly retrySeconds: number;
  readonly stallTimeoutSeconds: number;
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #storage: SdkStorage;
  readonly #calls = new AsyncLocalStorage<SdkCall>();
  readonly #closed = new AbortController();

  private constructor(createClient: typeof import("@supabase/supabase-js").createClient, options: ClientOptions) {
    const { url, key } = options;
    this.retrySeconds = options.retrySeconds;
    this.stallTimeoutSeconds = options.stallTimeoutSeconds;
    this.#base = storageUrl(url);
    // As the SDK does; the newer keys are no tokens, but the service takes them in the same places.
    this.#headers = { apikey: key, authorization: `Bearer ${key}` };
    const { storage } = createClient(url, key, {
      // Without it the SDK would look for a user's session.
      accessToken: () => Promise.resolve(key),
      global: { fetch: (input, init) => this.#fetch(String(input as string | URL), init) },
      storage: { useNewHostname: true },
    });
    this.#storage = storage;
  }

  /** Loads the SDK. */
  static async open(options: ClientOptions): Promise<SupabaseClient> {
    const { createClient } = await import("@supabase/supabase-js");
    return new SupabaseClient(createClient, options);
  }

  /** What the service gives to a request of the SDK, after as many tries as it takes. */
  call<Data>(request: SdkRequest<Data>, options: CallOptions): Promise<Data> {
    return this.retry(() => this.once(request, options), options.signal);
  }

  /** What the service gives to a single try of a request of the SDK. */
  once<Data>(request: SdkRequest<Data>, options: CallOptions): Promise<Data> {
    return this.#watched(options, async (watched) => {
      const call: SdkCall = { ...watched };
      const { data, error } = await this.#calls.run(call, () => request(this.#storage));
      if (data === null) throw (call.failure ?? error) as Error;
      return data;
    });
  }

  /**
   * The response to a single try of a request that the SDK does not have.
   *
   * @param path below `/storage/v1`
   * @param expected the statuses that are no failure
   */
  send(
    path: string,
    outgoing: Pick<Outgoing, "method" | "headers" | "body">,
    expected: readonly number[],
    options: CallOptions,
  ): Promise<IncomingMessage> {
    return this.#watched(options, async (call) => {
      const headers = { ...outgoing.headers, ...this.#headers };
      const response = await send(this.#base + path, { ...outgoing, headers, ...call });
      if (expected.includes(response.statusCode ?? 0)) return response;
      throw new AnswerError(await answerOf(response, call.moved));
    });
  }

  /** What the work gives, after as many tries as it takes. */
  retry<Result>(work: (attempt: number) => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    return withRetries(work, { retrySeconds: this.retrySeconds, ...(signal === undefined ? {} : { signal }) });
  }

  /** Ends everything that is under way. */
  close(): void {
    this.#closed.abort(new ProviderError("ABORTED", "The store was closed."));
  }

  async #watched<Result>(options: CallOptions, work: (call: Call) => Promise<Result>): Promise<Result> {
    const { action, signal, moved, kind } = options;
    const either = signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]);
    const limits = { stallSeconds: stallSeconds(this.stallTimeoutSeconds, kind), signal: either };
    try {
      return await watchedRequest({ request: `request to ${action}`, moved, ...limits }, work);
    } catch (error) {
      if (error instanceof ProviderError) throw error;
      throw error instanceof AnswerError ? fromAnswer(error.answer, action) : unreachable(error, action);
    }
  }

  /** What the SDK takes for `fetch`. */
  async #fetch(url: string, init: RequestInit | undefined): Promise<Response> {
    const call = this.#calls.getStore();
    if (call === undefined) throw new TypeError("The SDK makes a request of its own accord.");
    try {
      const answer = await answerOf(
        await send(url, {
          method: init?.method ?? "GET",
          headers: Object.fromEntries(new Headers(init?.headers)),
          body: (init?.body ?? "") as Buffer | string,
          ...call,
        }),
        call.moved,
      );
      if (answer.status !== 200) throw new AnswerError(answer);
      // A page of a proxy would be a mere message to the SDK.
      if (typeof answer.body === "string") throw notSupabase();
      return Response.json(answer.body);
    } catch (error) {
      call.failure = error;
      throw error;
    }
  }
}

/** Projects at Supabase have a host of their own for storage, which takes larger objects. Other hosts are left alone. */
export function storageUrl(url: string): string {
  const base = url.replace(/\/$/, "").replace(/^(https:\/\/[a-z0-9]{20})\.(supabase\.(?:co|in|red))$/, "$1.storage.$2");
  return `${base}/storage/v1`;
}

function notSupabase(): ProviderError {
  return new ProviderError("TRANSIENT", "The answer is not one of Supabase's.", {
    fix: "Look at url of the destination, and whether a proxy answers in its place.",
  });
}
