import { createPrivateKey, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { ProviderError } from "../../errors.ts";

/** Who asks Google for access tokens. */
export type Credentials =
  | {
      readonly kind: "user";
      readonly clientId: string;
      readonly clientSecret: string;
      readonly refreshToken: string;
    }
  | {
      readonly kind: "service account";
      readonly email: string;
      readonly key: KeyObject;
      /** Id of the key, by which Google finds its public half. */
      readonly keyId: string | undefined;
      /** The user of a Workspace in whose name it acts. */
      readonly subject: string | undefined;
    };

/**
 * What a service account asks for. Not `drive.file`, with which it would not see a folder that a person shares with it; what
 * nobody shares with it, it does not see anyway.
 */
const SCOPE = "https://www.googleapis.com/auth/drive";

/** For which an assertion is valid; Google takes an hour at most. */
const ASSERTION_SECONDS = 3_600;

/** The account, for messages. */
export function accountOf(credentials: Credentials): string {
  if (credentials.kind === "user") return "the Google account";
  if (credentials.subject !== undefined) return credentials.subject;
  return `the service account ${credentials.email}`;
}

/** Reads the JSON key of a service account. `CONFIG`, without a word of it, where it is none. */
export function serviceAccount(json: string, subject: string | undefined): Credentials {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    throw noKey("it is not JSON");
  }
  const {
    type,
    client_email: email,
    private_key: pem,
    private_key_id: keyId,
  } = Object(parsed) as Record<string, unknown>;
  if (type !== "service_account") throw noKey("its type is not service_account");
  if (typeof email !== "string" || typeof pem !== "string") throw noKey("it has no client_email or no private_key");
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw noKey("its private_key cannot be read");
  }
  if (key.asymmetricKeyType !== "rsa") throw noKey("its private_key is not an RSA key");
  return { kind: "service account", email, key, keyId: typeof keyId === "string" ? keyId : undefined, subject };
}

/** The fields of the form that asks the token service `audience` for an access token. */
export function grantForm(credentials: Credentials, audience: string): Readonly<Record<string, string>> {
  if (credentials.kind === "user") {
    return {
      grant_type: "refresh_token",
      refresh_token: credentials.refreshToken,
      client_id: credentials.clientId,
      client_secret: credentials.clientSecret,
    };
  }
  const { email, key, keyId, subject } = credentials;
  const now = Math.floor(Date.now() / 1000);
  const header = { alg: "RS256", typ: "JWT", kid: keyId };
  const claims = { iss: email, scope: SCOPE, aud: audience, iat: now, exp: now + ASSERTION_SECONDS, sub: subject };
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  const signature = sign("sha256", Buffer.from(signed), key).toString("base64url");
  return { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: `${signed}.${signature}` };
}

function noKey(why: string): ProviderError {
  return new ProviderError("CONFIG", `serviceAccountKey is not the key of a service account: ${why}.`, {
    fix:
      "Set the secret to the whole JSON file that Google's console gives for a new key of the service account " +
      "(IAM & Admin, Service Accounts, Keys).",
  });
}
