import { ProviderError } from "../../errors.ts";
import { fromAnswer, unreachable } from "./errors.ts";
import { answerOf, post } from "./http.ts";

/** A token is renewed so long before its end: longer than a request takes to arrive. */
const MARGIN_MS = 5 * 60_000;

/** Beyond this the token service is taken for dead. */
const TIMEOUT_MS = 60_000;

/** What Dropbox needs to give out access tokens. */
export interface Credentials {
  readonly appKey: string;
  /** Apps that were authorized by PKCE have none. */
  readonly appSecret: string | undefined;
  readonly refreshToken: string;
}

/**
 * The short-lived access token (4 hours), renewed with the refresh token when it is needed.
 *
 * The SDK's own renewal is not used: it writes the refresh token and the app's secret into the URL, which proxies log.
 */
export class AccessToken {
  readonly #url: string;
  readonly #credentials: Credentials;
  #current: { readonly value: string; readonly until: number } | undefined;

  constructor(url: string, credentials: Credentials) {
    this.#url = url;
    this.#credentials = credentials;
  }

  /** A token that is valid for a while. `AUTH` where the refresh token is not accepted. */
  async get(signal: AbortSignal): Promise<string> {
    if (this.#current === undefined || Date.now() >= this.#current.until) this.#current = await this.#renew(signal);
    return this.#current.value;
  }

  /** The service refused this token: the next `get` renews it. */
  drop(token: string): void {
    if (this.#current?.value === token) this.#current = undefined;
  }

  async #renew(signal: AbortSignal): Promise<{ value: string; until: number }> {
    const { appKey, appSecret, refreshToken } = this.#credentials;
    const body = new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: refreshToken,
      client_id: appKey,
      ...(appSecret === undefined ? {} : { client_secret: appSecret }),
    });
    try {
      const response = await post(this.#url, {
        headers: { "Content-Type": "application/x-www-form-urlencoded" },
        body: body.toString(),
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      const answer = await answerOf(response);
      if (answer.status !== 200) throw refusedToken(answer.body) ?? fromAnswer(answer, "renew the access token");
      return granted(answer.body);
    } catch (error) {
      if (error instanceof ProviderError) throw error;
      throw unreachable(error, "renew the access token");
    }
  }
}

function granted(body: unknown): { value: string; until: number } {
  const { access_token: value, expires_in: seconds } = body as { access_token?: unknown; expires_in?: unknown };
  if (typeof value !== "string" || typeof seconds !== "number") {
    throw new ProviderError("TRANSIENT", "Cannot renew the access token: Dropbox's answer holds none.", {
      fix: "Look whether a proxy answers in place of api.dropboxapi.com.",
    });
  }
  // Half of the time where there is less than twice the margin: else every request would renew it.
  return { value, until: Date.now() + Math.max(seconds * 1000 - MARGIN_MS, seconds * 500) };
}

/** The error for an answer of RFC 6749, section 5.2; nothing where it is none. */
function refusedToken(body: unknown): ProviderError | undefined {
  if (typeof body !== "object" || body === null || !("error" in body) || typeof body.error !== "string")
    return undefined;
  const description = "error_description" in body ? `: ${String(body.error_description)}` : "";
  if (body.error.startsWith("invalid_grant")) {
    return new ProviderError("AUTH", `Dropbox does not accept the refresh token (invalid_grant${description}).`, {
      fix:
        "Get a new one: open https://www.dropbox.com/oauth2/authorize?client_id=<appKey>&response_type=code" +
        "&token_access_type=offline, allow the app, exchange the code as the README says, and set the secret that " +
        "refreshToken refers to. A refresh token belongs to one app: appKey must be that app's.",
    });
  }
  return new ProviderError("AUTH", `Dropbox does not accept the app's key or secret (${body.error}${description}).`, {
    fix:
      "Compare appKey and appSecret with the app's page in the App Console (https://www.dropbox.com/developers/apps). " +
      "Leave appSecret out only if the refresh token was made with PKCE.",
  });
}
