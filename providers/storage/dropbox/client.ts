import type { IncomingMessage } from "node:http";
import type { Dropbox, DropboxAuth, DropboxRequestOptions } from "dropbox";
import { ProviderError } from "../../errors.ts";
import { AccessToken, grantError } from "../../http/access-token.ts";
import { AnswerError, answerOf, headersOf, textOf, type Answer, type Outgoing } from "../../http/http.ts";
import { ServiceClient, type CallOptions } from "../../http/service-client.ts";
import type { Call } from "../../http/watched-request.ts";
import { answerIn, fromAnswer, tagsOf, unreachable } from "./errors.ts";

/** What Dropbox needs to give out access tokens. */
interface Credentials {
  readonly appKey: string;
  /** Apps that were authorized by PKCE have none. */
  readonly appSecret: string | undefined;
  readonly refreshToken: string;
}

/** The access token (4 hours) that a refresh token gives. */
function dropboxToken({ appKey, appSecret, refreshToken }: Credentials): AccessToken {
  return new AccessToken({
    name: "Dropbox",
    url: "https://api.dropboxapi.com/oauth2/token",
    form: () => ({
      grant_type: "refresh_token",
      refresh_token: refreshToken,
      client_id: appKey,
      ...(appSecret !== undefined && { client_secret: appSecret }),
    }),
    refused,
    failed: fromAnswer,
    unreachable,
  });
}

function refused(answer: Answer): ProviderError | undefined {
  const grant = grantError(answer);
  if (grant === undefined) return undefined;
  const { error } = grant;
  const description = grant.description === "" ? "" : `: ${grant.description}`;
  if (error.startsWith("invalid_grant")) {
    return new ProviderError("AUTH", `Dropbox does not accept the refresh token (invalid_grant${description}).`, {
      fix:
        "Get a new one: open https://www.dropbox.com/oauth2/authorize?client_id=<appKey>&response_type=code" +
        "&token_access_type=offline, allow the app, exchange the code as docs/stores.md says, and set the secret that " +
        "refreshToken refers to. A refresh token belongs to one app: appKey must be that app's.",
    });
  }
  return new ProviderError("AUTH", `Dropbox does not accept the app's key or secret (${error}${description}).`, {
    fix:
      "Compare appKey and appSecret with the app's page in the App Console (https://www.dropbox.com/developers/apps). " +
      "Leave appSecret out only if the refresh token was made with PKCE.",
  });
}

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

/**
 * Makes requests: with a valid token, in the team's space, with a limit to their silence, again where they fail for a passing
 * reason. Every error is a `ProviderError`.
 */
export class DropboxClient extends ServiceClient {
  readonly #Sdk: typeof Dropbox;
  readonly #auth: DropboxAuth;
  readonly #token: AccessToken;
  readonly #pathRoot: string | undefined;

  private constructor({ Dropbox: Sdk, DropboxAuth: Auth }: typeof import("dropbox"), options: ClientOptions) {
    super(options);
    this.#token = dropboxToken(options.credentials);
    this.#pathRoot =
      options.namespace === undefined ? undefined : JSON.stringify({ ".tag": "root", root: options.namespace });
    this.#Sdk = Sdk;
    this.#auth = new Auth();
  }

  /** Loads the SDK. */
  static async open(options: ClientOptions): Promise<DropboxClient> {
    return new DropboxClient(await import("dropbox"), options);
  }

  /** What the service answers, after as many tries as it takes. */
  call<Result, Other = never>(
    request: SdkRequest<Result>,
    options: CallOptions,
    recognise?: (answer: Answer) => Other | undefined,
  ): Promise<Result | Other> {
    return this.retry(() => this.once(request, options, recognise), options);
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
    return this.#translated(options, async (call) => {
      try {
        const { result } = await request(this.#sdkFor(call), { signal: call.signal });
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
    return this.#translated(options, async (call) => {
      const response = await this.#send(DOWNLOAD_URL, {
        headers: {
          "Dropbox-API-Arg": headerJson({ path }),
          ...(this.#pathRoot !== undefined && { "Dropbox-API-Path-Root": this.#pathRoot }),
          ...(start > 0 && { Range: `bytes=${start}-` }),
        },
        ...call,
      });
      if (response.statusCode === (start === 0 ? 200 : 206)) return response;
      if (response.statusCode !== 200) throw new AnswerError(await answerOf(response, call.moved));
      response.destroy();
      throw notDropbox(options.action);
    });
  }

  async #translated<Result>(options: CallOptions, work: (call: Call) => Promise<Result>): Promise<Result> {
    const { action } = options;
    try {
      return await this.watched(options, work);
    } catch (error) {
      if (error instanceof ProviderError) throw error;
      const answer = answerIn(error);
      throw answer === undefined ? unreachable(error, action) : fromAnswer(answer, action);
    }
  }

  /** An SDK whose requests belong to a call: it takes `fetch` once for all of its requests. */
  #sdkFor(call: Call): Dropbox {
    return new this.#Sdk({
      auth: this.#auth,
      fetch: (url: string, init: SdkInit) => this.#fetch(url, init, call),
      ...(this.#pathRoot !== undefined && { pathRoot: this.#pathRoot }),
    });
  }

  async #fetch(url: string, { headers, body }: SdkInit, call: Call): Promise<Response> {
    const response = await this.#send(url, { headers, ...(body !== null && { body }), ...call });
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
    fix: "Check whether a proxy answers in place of api.dropboxapi.com and content.dropboxapi.com.",
  });
}

/** JSON for a header, which takes ASCII only. */
function headerJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\u007F-\uFFFF]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
