import { createHash, createHmac } from "node:crypto";

/** The credentials of the tests, and where they are good for. */
export interface TokenRules {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  /** Seconds after which a token counts as expired; RDS itself takes them for 900. */
  readonly lifeSeconds: number;
}

/**
 * What is wrong with a token of RDS, for the server at `endpoint` (`host:port`) and a user; undefined if nothing is. It is written from
 * AWS's documentation of Signature Version 4 ("Create a signed AWS API request", query parameters), and shares nothing with a signer.
 */
export function tokenFault(token: string, endpoint: string, user: string, rules: TokenRules): string | undefined {
  const [where, query = ""] = token.split("/?");
  if (where !== endpoint) return `it is for ${where}`;
  const pairs = query.split("&").map((pair) => pair.split("=").map(decodeURIComponent) as [string, string]);
  const parameters = new Map(pairs);
  const get = (name: string): string => parameters.get(name) ?? "";
  if (get("Action") !== "connect") return "its action is not connect";
  if (get("DBUser") !== user) return "it is for another user";
  if (get("X-Amz-Algorithm") !== "AWS4-HMAC-SHA256") return "its algorithm is another";
  if (get("X-Amz-SignedHeaders") !== "host") return "it does not sign the host";
  const time = get("X-Amz-Date");
  const scope = [time.slice(0, 8), rules.region, "rds-db", "aws4_request"];
  if (get("X-Amz-Credential") !== [rules.accessKeyId, ...scope].join("/")) return "its scope is another";
  const signedAt = Date.parse(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  const age = (Date.now() - signedAt) / 1000;
  if (!(age > -5)) return "it is of the future";
  // The time is of whole seconds.
  if (age > Math.min(rules.lifeSeconds + 1, Number(get("X-Amz-Expires")))) return "it has expired";
  const canonical = pairs
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .sort()
    .join("&");
  const request = ["GET", "/", canonical, `host:${endpoint}`, "", "host", hash("")].join("\n");
  const text = ["AWS4-HMAC-SHA256", time, scope.join("/"), hash(request)].join("\n");
  const key = scope.reduce<Buffer | string>((secret, part) => hmac(secret, part), `AWS4${rules.secretAccessKey}`);
  return hmac(key, text).toString("hex") === get("X-Amz-Signature") ? undefined : "its signature is wrong";
}

/** All but A-Z a-z 0-9 - . _ ~ as %XX. */
function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
