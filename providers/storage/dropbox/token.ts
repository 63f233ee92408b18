import { ProviderError } from "../../errors.ts";
import { AccessToken, grantError } from "../../http/access-token.ts";
import type { Answer } from "../../http/http.ts";
import { fromAnswer, unreachable } from "./errors.ts";

/** What Dropbox needs to give out access tokens. */
export interface Credentials {
  readonly appKey: string;
  /** Apps that were authorized by PKCE have none. */
  readonly appSecret: string | undefined;
  readonly refreshToken: string;
}

/** The access token (4 hours) that a refresh token gives. */
export function dropboxToken({ appKey, appSecret, refreshToken }: Credentials): AccessToken {
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
