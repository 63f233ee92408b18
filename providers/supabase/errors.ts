import { ProviderError } from "../errors.ts";
import type { ProviderErrorOptions } from "../errors.ts";
import { noAnswer } from "../http/http.ts";
import type { Answer } from "../http/http.ts";
import { failureOf, type Meaning } from "../meaning.ts";

const wrongKey: Meaning = [
  "AUTH",
  "the key is not accepted",
  "Take the secret key (sb_secret_…), or the legacy service_role key, from the dashboard (Project Settings > API Keys) of the " +
    "project whose url this is, and set the secret that key refers to.",
];

const mayNot: Meaning = [
  "AUTH",
  "the key does not have the right to do this",
  "Use the secret key (sb_secret_…) or the legacy service_role key: the anon, publishable and users' keys are bound by the " +
    "policies (RLS) of storage.objects.",
];

const noBucket: Meaning = [
  "CONFIG",
  "there is no such bucket",
  "Create it, private, in the dashboard (Storage > New bucket), or correct bucket and url of the destination. A key that may " +
    "not see the bucket gets the same answer.",
];

const missing: Meaning = ["NOT_FOUND", "it does not exist", "List the objects to see which there are."];

const exists: Meaning = [
  "CONFLICT",
  "the object exists already",
  "Use another key, or remove the object first: objects are never overwritten.",
];

const tooLarge: Meaning = [
  "QUOTA",
  "the object is larger than the service takes",
  "Raise the bucket's file size limit (Storage > the bucket > Edit) and, since that cannot be more, the project's " +
    "(Storage > Settings): the free plan takes 50 MB at most.",
];

const wrongType: Meaning = [
  "CONFIG",
  "the bucket does not take objects of the type application/octet-stream",
  "Add application/octet-stream to the bucket's allowed MIME types (Storage > the bucket > Edit), or allow all.",
];

const busy: Meaning = [
  "RATE_LIMITED",
  "the service asks to slow down",
  "Let other programs that use it run at other times.",
];

const fault: Meaning = ["TRANSIENT", "the service has a fault of its own", "Try again later; see status.supabase.com."];

const readOnly: Meaning = [
  "QUOTA",
  "the project's database is read-only, as it becomes when its disk is full",
  "Free some space in the database, or enlarge its disk (Project Settings > Compute and Disk).",
];

const restricted: Meaning = [
  "QUOTA",
  "the project is restricted, because its organization has used up what its plan includes",
  "Check the organization's usage and billing in the dashboard: raise the plan or the spend cap, or keep fewer backups.",
];

const paused: Meaning = [
  "CONFIG",
  "the project is paused",
  "Restore it in the dashboard; projects of the free plan pause.",
];

const wrongProject: Meaning = [
  "CONFIG",
  "there is no such project",
  "Correct url of the destination: https://<project ref>.supabase.co, as Project Settings > API shows it.",
];

const wrongName: Meaning = [
  "CONFIG",
  "the service does not take such a name",
  "Use names of letters, digits, '.', '_' and '-'.",
];

/** What the code of an answer means: that of today's service, or the word that older ones have in its place. */
const byCode: Readonly<Record<string, Meaning>> = {
  NoSuchBucket: noBucket,
  "Bucket not found": noBucket,
  NoSuchKey: missing,
  not_found: missing,
  ResourceAlreadyExists: exists,
  KeyAlreadyExists: exists,
  Duplicate: exists,
  EntityTooLarge: tooLarge,
  "Payload too large": tooLarge,
  InvalidMimeType: wrongType,
  invalid_mime_type: wrongType,
  InvalidJWT: wrongKey,
  ExpiredToken: wrongKey,
  SignatureDoesNotMatch: wrongKey,
  AccessDenied: mayNot,
  InvalidKey: wrongName,
  InvalidBucketName: wrongName,
  TenantNotFound: wrongProject,
  SlowDown: busy,
  too_many_connections: busy,
  DatabaseConnectionLimit: busy,
  DatabaseReadOnly: readOnly,
  DatabaseTimeout: fault,
  LockTimeout: fault,
  ResourceLocked: fault,
};

/** What a status means; first the one that an answer's text holds, which the service hides behind a 400. */
const byStatus: Readonly<Record<number, Meaning>> = {
  401: wrongKey,
  402: restricted,
  403: mayNot,
  404: missing,
  408: fault,
  409: exists,
  413: tooLarge,
  415: wrongType,
  423: fault,
  429: busy,
  540: paused,
};

/** The codes of a fault that the service does not explain: today's, and that of older services. */
const INTERNAL = ["InternalError", "Internal"];

/** A fault that the service does not explain. On disk it answers so to a file whose content is lost, too. */
export class InternalFault extends ProviderError {
  override readonly name = "InternalFault";

  constructor(message: string, options: ProviderErrorOptions) {
    super("TRANSIENT", message, options);
  }
}

/** The `ProviderError` for an answer: `Cannot <action>: <what it means> (<what the service says>).` */
export function fromAnswer(answer: Answer, action: string): ProviderError {
  const { status, code, message } = partsOf(answer);
  const meaning = meaningOf(status, code, message);
  const said = [code === message ? undefined : code, `status ${status}`, clean(message)].filter(Boolean).join(", ");
  const reference = answer.headers.get("sb-request-id");
  const request = reference === null ? "" : `, request ${reference.slice(0, 64)}`;
  if (meaning === undefined) {
    return new ProviderError("INTERNAL", `Cannot ${action}: Supabase answers ${said}${request}.`);
  }
  const failure = failureOf(action, meaning, said, {
    reference: request,
    waits: [answer.headers.get("retry-after")],
  });
  if (meaning !== fault || !INTERNAL.includes(code)) return failure;
  const { fix, retryAfterMs } = failure;
  return new InternalFault(failure.message, {
    ...(fix !== undefined && { fix }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

/** The error for an object that is there already. */
export function taken(action: string): ProviderError {
  const [code, problem, fix] = exists;
  return new ProviderError(code, `Cannot ${action}: ${problem}.`, { fix });
}

/** The error for a request without an answer, or with half of one. */
export function unreachable(error: unknown, action: string): ProviderError {
  const fix =
    "Check url of the destination and the network: name resolution, routes, firewall. A paused project has no address.";
  return noAnswer(error, action, "Supabase", fix);
}

/** What an answer says of itself: the service answers 400 to most failures, and writes the true status into the text. */
function partsOf({ status, body }: Answer): { status: number; code: string; message: string } {
  // The resumable protocol, and proxies, answer in plain text.
  if (typeof body !== "object" || body === null) return { status, code: "", message: String(body).trim() };
  const { statusCode, code, error, message } = body as Record<string, unknown>;
  const own = Number(statusCode);
  return {
    status: Number.isInteger(own) && own >= 400 && own < 600 ? own : status,
    code: [code, error].find((word) => typeof word === "string") ?? "",
    message: typeof message === "string" ? message : "",
  };
}

function meaningOf(status: number, code: string, message: string): Meaning | undefined {
  // The resumable protocol answers in plain text: another try of the same request is still going on.
  if (code === "" && /upload-offset conflict|lock acquired/i.test(message)) return fault;
  if (/^bucket not found/i.test(message)) return noBucket;
  if (/row-level security/i.test(message)) return mayNot;
  // Older services tell a key that is none at all from one without rights only in the message.
  if (/\bjw[ts]\b|invalid signature|api key|authentication credentials/i.test(message)) return wrongKey;
  if (/the resource already exists/i.test(message)) return exists;
  return byCode[code] ?? byStatus[status] ?? (status >= 500 ? fault : undefined);
}

/** Some of what the service said. A key, should it ever repeat one, is left out. */
function clean(message: string): string {
  return message
    .replaceAll(/\b(?:eyJ|sb_)[\w.-]+/g, "…")
    .replaceAll(/\s+/g, " ")
    .replace(/\.$/, "")
    .slice(0, 200);
}
