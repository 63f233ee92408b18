import type { IncomingMessage } from "node:http";
import type { drive_v3, MethodOptions } from "@googleapis/drive";
import { ProviderError } from "../../errors.ts";
import type { AccessToken } from "../../http/access-token.ts";
import { AnswerError, answerOf, headersOf } from "../../http/http.ts";
import type { Answer, Outgoing } from "../../http/http.ts";
import { ServiceClient, type CallOptions } from "../../http/service-client.ts";
import type { Call } from "../../http/watched-request.ts";
import { accountOf } from "./credentials.ts";
import type { Credentials } from "./credentials.ts";
import { answerIn, fromAnswer, innermost, notGoogle, unreachable } from "./errors.ts";
import { googleToken } from "./token.ts";

/** Ids that are fetched at once: few, because most runs need no more than some. */
const IDS = 20;

/** Options of {@link DriveClient}. */
export interface ClientOptions {
  readonly credentials: Credentials;
  readonly retrySeconds: number;
  readonly stallTimeoutSeconds: number;
}

/** A request of the SDK. */
export type SdkRequest<Result> = (
  files: drive_v3.Resource$Files,
  options: MethodOptions,
) => Promise<{ readonly data: Result }>;

/** A request that the SDK has no part in. */
export type RawRequest = Omit<Outgoing, keyof Call>;

/**
 * Makes requests: with a valid token, with a limit to their silence, again where they fail for a passing reason. Every error is a `ProviderError`.
 *
 * The SDK makes the small ones. It cannot make those with data: its uploads in several requests do not exist, and what it
 * downloads passes through streams that are converted twice.
 */
export class DriveClient extends ServiceClient {
  /** Who uses it, for messages. */
  readonly account: string;
  readonly #files: drive_v3.Resource$Files;
  readonly #token: AccessToken;
  #ids: string[] = [];

  private constructor(drive: (options: drive_v3.Options) => drive_v3.Drive, options: ClientOptions) {
    super(options);
    this.account = accountOf(options.credentials);
    this.#token = googleToken(options.credentials);
    const sdk = drive({
      version: "v3",
      // Its own tries know neither Google's reasons nor our budget.
      retry: false,
    });
    this.#files = sdk.files;
  }

  /** Loads the SDK. */
  static async open(options: ClientOptions): Promise<DriveClient> {
    const { drive } = await import("@googleapis/drive");
    return new DriveClient(drive, options);
  }

  /**
   * What the service answers to a request without data, after as many tries as it takes.
   *
   * @param recognise may make a result of an answer that says no
   */
  call<Result, Other = never>(
    request: SdkRequest<Result>,
    options: CallOptions,
    recognise?: (answer: Answer) => Other | undefined,
  ): Promise<Result | Other> {
    return this.retry(
      () =>
        this.#once(
          async (call) => {
            const { data } = await request(this.#files, {
              signal: call.signal,
              fetchImplementation: (url, init) => this.#fetch(url, init, call),
            });
            if (typeof data === "string" && data !== "") throw notGoogle(options.action);
            return data;
          },
          options,
          recognise,
        ),
      options,
    );
  }

  /** What the service answers to a single try of a request that the SDK has no part in. Any status is an answer. */
  ask(url: string, request: RawRequest, options: CallOptions): Promise<Answer> {
    return this.#once(
      async (call) => answerOf(await this.#token.send(url, { ...request, ...call }), call.moved),
      options,
    );
  }

  /** The bytes that a single try of a request gives, if the answer has the status that is expected. */
  stream(url: string, request: RawRequest, status: number, options: CallOptions): Promise<IncomingMessage> {
    return this.#once(async (call) => {
      const response = await this.#token.send(url, { ...request, ...call });
      if (response.statusCode === status) return response;
      if (response.statusCode !== 200) throw new AnswerError(await answerOf(response, call.moved));
      response.destroy();
      throw notGoogle(options.action);
    }, options);
  }

  /** The error for an answer that says no. */
  refusal(answer: Answer, action: string): ProviderError {
    return fromAnswer(answer, action, this.account);
  }

  /**
   * An id for a new file, given out by the service beforehand: a file can be made with it only once, and is found by it at
   * once, whatever became of the answer.
   */
  async newId(options: CallOptions): Promise<string> {
    while (this.#ids.length === 0) {
      const { ids } = await this.call(
        (files, settings) => files.generateIds({ count: IDS, space: "drive", type: "files", fields: "ids" }, settings),
        options,
      );
      this.#ids.push(...(ids ?? []));
    }
    return this.#ids.pop() ?? "";
  }

  /** One try of something; its errors are translated. */
  async #once<Result, Other = never>(
    work: (call: Call) => Promise<Result>,
    options: CallOptions,
    recognise?: (answer: Answer) => Other | undefined,
  ): Promise<Result | Other> {
    const { action } = options;
    try {
      return await this.watched(options, work);
    } catch (error) {
      const answer = answerIn(error);
      const recognised = answer === undefined ? undefined : recognise?.(answer);
      if (recognised !== undefined) return recognised;
      const inner = innermost(error);
      if (inner instanceof ProviderError) throw inner;
      if (answer !== undefined) throw this.refusal(answer, action);
      throw unreachable(inner, action);
    }
  }

  /** What the SDK takes for `fetch`. */
  async #fetch(url: string | URL | Request, init: RequestInit = {}, call: Call): Promise<Response> {
    const given = new Headers(init.headers);
    const type = given.get("content-type");
    const response = await this.#token.send(url instanceof Request ? url.url : String(url), {
      method: init.method ?? "GET",
      // Not the others: the SDK says that it takes compressed answers, but leaves it to `fetch` to unpack them.
      headers: type === null ? {} : { "Content-Type": type },
      ...(typeof init.body === "string" && { body: init.body }),
      ...call,
    });
    const answer = await answerOf(response, call.moved);
    if (answer.status >= 300) throw new AnswerError(answer);
    const body = typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body);
    return new Response(answer.status === 204 ? null : body, { status: answer.status, headers: headersOf(response) });
  }
}
