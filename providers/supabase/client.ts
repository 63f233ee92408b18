import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingMessage } from "node:http";
import type { SupabaseClient as Sdk } from "@supabase/supabase-js";
import { ProviderError } from "../errors.ts";
import { AnswerError, answerOf, send } from "../http/http.ts";
import type { Outgoing } from "../http/http.ts";
import { ServiceClient, type CallOptions } from "../http/service-client.ts";
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
export class SupabaseClient extends ServiceClient {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #storage: SdkStorage;
  /** The SDK takes `fetch` once, and making one SDK for each request costs milliseconds: its requests find their call here. */
  readonly #calls = new AsyncLocalStorage<SdkCall>();

  private constructor(createClient: typeof import("@supabase/supabase-js").createClient, options: ClientOptions) {
    super(options);
    const { url, key } = options;
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
    return this.retry(() => this.once(request, options), options);
  }

  /** What the service gives to a single try of a request of the SDK. */
  once<Data>(request: SdkRequest<Data>, options: CallOptions): Promise<Data> {
    return this.#translated(options, async (watched) => {
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
    return this.#translated(options, async (call) => {
      const headers = { ...outgoing.headers, ...this.#headers };
      const response = await send(this.#base + path, { ...outgoing, headers, ...call });
      if (expected.includes(response.statusCode ?? 0)) return response;
      throw new AnswerError(await answerOf(response, call.moved));
    });
  }

  async #translated<Result>(options: CallOptions, work: (call: Call) => Promise<Result>): Promise<Result> {
    const { action } = options;
    try {
      return await this.watched(options, work);
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
    fix: "Check url of the destination, and whether a proxy answers in its place.",
  });
}
