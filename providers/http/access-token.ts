import type { IncomingMessage } from "node:http";
import { ProviderError } from "../errors.ts";
import { AnswerError, answerOf, send } from "./http.ts";
import type { Answer, Outgoing } from "./http.ts";
import type { Call } from "./watched-request.ts";

/** A token is renewed so long before its end: longer than a request takes to arrive. */
const MARGIN_MS = 5 * 60_000;

/** A service that gives out short-lived access tokens (RFC 6749). */
export interface TokenService {
  /** For messages: `Dropbox`. */
  readonly name: string;
  readonly url: string;
  /** What is asked of it: fields of a form, never part of a URL, which proxies log. */
  form(): Readonly<Record<string, string>>;
  /** The error for an answer that refuses the credentials; nothing where it says something else. */
  refused(answer: Answer): ProviderError | undefined;
  /** The error for any other answer that is none of success. */
  failed(answer: Answer, action: string): ProviderError;
  /** The error for a request without an answer. */
  unreachable(error: unknown, action: string): ProviderError;
}

/**
 * A short-lived access token, renewed when it is needed.
 *
 * The SDKs' own renewals are not used: that of Dropbox writes the refresh token and the app's secret into the URL, that of
 * Google cannot be ended and tries again by rules of its own.
 */
export class AccessToken {
  readonly #service: TokenService;
  #current: { readonly value: string; readonly until: number } | undefined;

  constructor(service: TokenService) {
    this.#service = service;
  }

  /**
   * The response to a request with the token; with a new one where the service says that it has expired, though it should not.
   * `AUTH` where the credentials are not accepted.
   *
   * @param isStale whether an answer of status 401 is about the token's age; the error for any other is `AnswerError`
   */
  async send(
    url: string,
    outgoing: Outgoing,
    isStale: (answer: Answer) => boolean = () => true,
  ): Promise<IncomingMessage> {
    const { token, response } = await this.#sendOnce(url, outgoing);
    if (response.statusCode !== 401) return response;
    const answer = await answerOf(response, outgoing.moved);
    if (!isStale(answer)) throw new AnswerError(answer);
    if (this.#current?.value === token) this.#current = undefined;
    return (await this.#sendOnce(url, outgoing)).response;
  }

  async #sendOnce(url: string, outgoing: Outgoing): Promise<{ token: string; response: IncomingMessage }> {
    const token = await this.#get(outgoing);
    const headers = { ...outgoing.headers, Authorization: `Bearer ${token}` };
    return { token, response: await send(url, { ...outgoing, headers }) };
  }

  /** A token that is valid for a while. */
  async #get(call: Call): Promise<string> {
    if (this.#current === undefined || Date.now() >= this.#current.until) this.#current = await this.#renew(call);
    return this.#current.value;
  }

  async #renew({ signal, moved }: Call): Promise<{ value: string; until: number }> {
    const service = this.#service;
    const action = "renew the access token";
    try {
      const response = await send(service.url, {
        headers: { "Content-Type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams(service.form()).toString(),
        signal,
        moved,
      });
      const answer = await answerOf(response, moved);
      // Whatever a service that is down or busy says of the credentials, it has not looked at them.
      const busy = answer.status >= 500 || answer.status === 429;
      if (answer.status !== 200) throw (busy ? undefined : service.refused(answer)) ?? service.failed(answer, action);
      return this.#granted(answer.body);
    } catch (error) {
      if (error instanceof ProviderError || signal.aborted) throw error;
      throw service.unreachable(error, action);
    }
  }

  #granted(body: unknown): { value: string; until: number } {
    const { access_token: value, expires_in: seconds } = body as { access_token?: unknown; expires_in?: unknown };
    if (typeof value !== "string" || typeof seconds !== "number") {
      const { name, url } = this.#service;
      throw new ProviderError("TRANSIENT", `Cannot renew the access token: ${name}'s answer holds none.`, {
        fix: `Check whether a proxy answers in place of ${new URL(url).hostname}.`,
      });
    }
    // Half of the time where there is less than twice the margin: else every request would renew it.
    return { value, until: Date.now() + Math.max(seconds * 1000 - MARGIN_MS, seconds * 500) };
  }
}

/** What RFC 6749, section 5.2, calls the error, with its description; nothing where the answer is of another form. */
export function grantError({ body }: Answer): { readonly error: string; readonly description: string } | undefined {
  if (typeof body !== "object" || body === null || !("error" in body) || typeof body.error !== "string")
    return undefined;
  return { error: body.error, description: "error_description" in body ? String(body.error_description) : "" };
}
