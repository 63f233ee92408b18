import { ProviderError } from "../../errors.ts";
import { AccessToken, grantError } from "../../http/access-token.ts";
import type { Answer } from "../../http/http.ts";
import { accountOf, grantForm } from "./credentials.ts";
import type { Credentials } from "./credentials.ts";
import { fromAnswer, unreachable } from "./errors.ts";

const TOKEN_URL = "https://oauth2.googleapis.com/token";

/** Beyond this difference a clock counts as wrong. Google accepts assertions of some minutes to either side. */
const SKEW_MS = 60_000;

/** The access token (an hour) that a refresh token or a service account's key gives. */
export function googleToken(credentials: Credentials): AccessToken {
  return new AccessToken({
    name: "Google",
    url: TOKEN_URL,
    form: () => grantForm(credentials, TOKEN_URL),
    refused: (answer) => refused(answer, credentials),
    failed: (answer, action) => fromAnswer(answer, action, accountOf(credentials)),
    unreachable,
  });
}

function refused(answer: Answer, credentials: Credentials): ProviderError | undefined {
  const grant = grantError(answer);
  if (grant === undefined) return undefined;
  const said = `${grant.error}${grant.description === "" ? "" : `: ${grant.description}`}`;
  const [problem, fix] =
    credentials.kind === "user" ? ofUser(grant.error, said, answer) : ofService(grant, said, answer, credentials);
  return new ProviderError("AUTH", `${problem} (${said}).`, { fix });
}

function ofUser(error: string, said: string, { body }: Answer): readonly [problem: string, fix: string] {
  if ((body as { error_subtype?: unknown }).error_subtype === "invalid_rapt" || said.includes("invalid_rapt")) {
    return [
      "The Workspace of the account wants its user to sign in again",
      "Let its admin exempt the app from session control (Admin console, Security, Google Cloud session control), or use a " +
        "service account with a shared drive.",
    ];
  }
  if (error === "invalid_grant") {
    return [
      "Google does not accept the refresh token",
      "Get a new one as docs/stores.md says, and set the secret that refreshToken refers to. A refresh token ends when its user " +
        "takes the access back, when it is not used for half a year, and after 7 days where the app's publishing status is " +
        "Testing: set it to In production (Google Auth Platform, Audience). It belongs to one client: clientId must be that " +
        "client's.",
    ];
  }
  return [
    "Google does not accept the client's id or secret",
    "Compare clientId and clientSecret with the client's page in Google's console (Google Auth Platform, Clients). A refresh " +
      "token belongs to the client that it was made with.",
  ];
}

function ofService(
  { error, description }: { readonly error: string; readonly description: string },
  said: string,
  answer: Answer,
  { email, subject }: Extract<Credentials, { kind: "service account" }>,
): readonly [problem: string, fix: string] {
  const skew = clockSkew(answer);
  if (/reasonable timeframe|iat and exp/.test(said) || (error === "invalid_grant" && skew !== undefined)) {
    return [
      `Google does not accept the time of this machine${skew === undefined ? "" : `, whose clock is ${skew}`}`,
      "Set the machine's clock, and let NTP keep it: timedatectl set-ntp true.",
    ];
  }
  if (error === "unauthorized_client" && subject !== undefined) {
    return [
      `The service account ${email} may not act in the name of ${subject}`,
      "Let the Workspace's admin allow it: Admin console, Security, API controls, Domain-wide delegation, with the account's " +
        "client id and the scope https://www.googleapis.com/auth/drive. Or leave impersonate out and use a shared drive.",
    ];
  }
  if (/account not found|signature/i.test(description)) {
    return [
      `Google does not know the key of the service account ${email}`,
      "Check whether the account and its key still exist (IAM & Admin, Service Accounts, Keys); make a new key, and set the " +
        "secret that serviceAccountKey refers to.",
    ];
  }
  return [
    `Google gives the service account ${email} no access token`,
    `Check whether the account is enabled (IAM & Admin, Service Accounts)${
      subject === undefined ? "" : `, and whether ${subject} is a user of the Workspace`
    }.`,
  ];
}

/** By how much this machine's clock is wrong, if it is, as the answer's own time tells. */
function clockSkew({ headers }: Answer): string | undefined {
  const ahead = Date.now() - Date.parse(headers.get("date") ?? "");
  if (!(Math.abs(ahead) > SKEW_MS)) return undefined;
  return `${Math.round(Math.abs(ahead) / 60_000)} min ${ahead > 0 ? "ahead" : "behind"}`;
}
