import { ProviderError } from "../../errors.ts";
import { AnswerError, noAnswer } from "../../http/http.ts";
import type { Answer } from "../../http/http.ts";
import { failureOf, type Meaning } from "../../meaning.ts";

/** The answer in an error of ours or of the SDK; nothing in any other error. */
export function answerIn(error: unknown): Answer | undefined {
  if (error instanceof AnswerError) return error.answer;
  if (!(error instanceof Error) || error.name !== "DropboxResponseError") return undefined;
  const { status, headers, error: body } = error as Error & { status: number; headers: Headers; error: unknown };
  return { status, headers, body };
}

/** The tags of an answer, from the outermost: `["path", "conflict", "file"]`. */
export function tagsOf(answer: Answer): string[] {
  const summary = (answer.body as { error_summary?: unknown } | null)?.error_summary;
  // The service ends a summary with a varying number of dots, so that nobody compares it as a whole.
  return typeof summary === "string" ? summary.split("/").filter((tag) => /^[a-z_]+$/.test(tag)) : [];
}

const RENEW =
  "and then get a new refresh token, as docs/stores.md says: one that was made before does not have the new scope";

/** What a tag means for a caller, and what a person can do about it. The first that is found in an answer counts. */
const meanings: Readonly<Record<string, Meaning>> = {
  too_many_write_operations: [
    "RATE_LIMITED",
    "too many writes to the same account at the same time",
    "Let other programs that write to this Dropbox run at other times.",
  ],
  too_many_requests: ["RATE_LIMITED", "too many requests", "Let other programs that use this app run at other times."],
  conflict: [
    "CONFLICT",
    "something of that name exists already (Dropbox does not tell upper case from lower case)",
    "Use another key or folder, or move what is there away.",
  ],
  insufficient_space: [
    "QUOTA",
    "the Dropbox account is full",
    "Free some space (deleted files count until they are purged), keep fewer backups, or get a larger plan.",
  ],
  team_folder_insufficient_space: ["QUOTA", "the team folder is full", "Ask the team's admin for more space."],
  member_folder_insufficient_space: ["QUOTA", "the member's folder is full", "Ask the team's admin for more space."],
  upload_traffic_limit_reached: [
    "QUOTA",
    "the team's upload traffic of this month is used up",
    "Wait for the next month, or ask the team's admin for more.",
  ],
  too_large: [
    "QUOTA",
    "the file is larger than Dropbox takes",
    "Use another kind of storage for a database that large.",
  ],
  not_found: ["NOT_FOUND", "it does not exist", "Check folder, prefix and namespace of the destination."],
  not_file: ["NOT_FOUND", "it is a folder, not a file", "Check folder and prefix of the destination."],
  not_folder: ["NOT_FOUND", "it is a file, not a folder", "Check folder and prefix of the destination."],
  malformed_path: ["CONFIG", "Dropbox does not take such a path", "Use names of letters, digits, '.', '_' and '-'."],
  disallowed_name: ["CONFIG", "Dropbox does not take such a name", "Use names of letters, digits, '.', '_' and '-'."],
  team_folder: ["CONFIG", "a team folder cannot be written in this place", "Use a folder inside the team folder."],
  no_write_permission: [
    "AUTH",
    "the account may not write there",
    "Give it edit access to the folder, or use another folder.",
  ],
  access_restricted: ["AUTH", "the account may not write there", "Ask the team's admin for access to the folder."],
  restricted_content: ["AUTH", "Dropbox has blocked the content", "Write to Dropbox's support."],
  operation_suppressed: ["TRANSIENT", "Dropbox held the write back", "Try again later."],
  content_hash_mismatch: [
    "TRANSIENT",
    "the bytes changed on their way",
    "Look for a proxy that changes what it forwards, and check this machine's memory.",
  ],
  user_suspended: ["AUTH", "the account is suspended", "Let the team's admin take the suspension back."],
  invalid_root: ["CONFIG", "the namespace is not the account's root", "Set namespace to the id of the team space."],
  no_permission: ["CONFIG", "the account has no access to the namespace", "Check namespace of the destination."],
};

/** The `ProviderError` for an answer: `Cannot <action>: <what it means>`. */
export function fromAnswer(answer: Answer, action: string): ProviderError {
  const { status } = answer;
  const tags = tagsOf(answer);
  const scope = missingScope(answer);
  if (scope !== undefined) {
    return new ProviderError("AUTH", `Cannot ${action}: the scope ${scope} is missing${reference(answer)}.`, {
      fix: `Tick ${scope} under Permissions in the App Console (https://www.dropbox.com/developers/apps), ${RENEW}.`,
    });
  }
  const tag = tags.find((name) => Object.hasOwn(meanings, name));
  const meaning = tag === undefined ? byStatus(status) : meanings[tag];
  if (meaning === undefined) {
    return new ProviderError("INTERNAL", `Cannot ${action}: Dropbox answers ${shown(answer)}${reference(answer)}.`);
  }
  return failureOf(action, meaning, tags.join("/") || status, {
    reference: reference(answer),
    waits: [answer.headers.get("retry-after"), secondsIn(answer)],
  });
}

/** The error for a request without an answer, or with half of one. */
export function unreachable(error: unknown, action: string): ProviderError {
  const hosts = "api.dropboxapi.com and content.dropboxapi.com";
  return noAnswer(error, action, "Dropbox", `Check the network: ${hosts} must be reachable on port 443.`);
}

function byStatus(status: number): Meaning | undefined {
  if (status === 429) return meanings.too_many_requests;
  if (status === 401) {
    return [
      "AUTH",
      "Dropbox does not accept the access token though it is new",
      "Check whether the app is still allowed (https://www.dropbox.com/account/connected_apps), and get a new refresh " +
        "token as docs/stores.md says.",
    ];
  }
  if (status === 403) {
    return [
      "AUTH",
      "the account has no access",
      "Check whether the team's admin allows the app and this kind of account.",
    ];
  }
  if (status === 408 || status >= 500) {
    return ["TRANSIENT", "Dropbox has a fault of its own", "Try again later; see https://status.dropbox.com."];
  }
  return undefined;
}

/** The scope that the token (401) or the whole app (400, in plain text) lacks. */
function missingScope({ status, body }: Answer): string | undefined {
  if (status === 400 && typeof body === "string") return /required scope '([\w.]+)'/.exec(body)?.[1];
  const error = (body as { error?: { ".tag"?: unknown; required_scope?: unknown } } | null)?.error;
  return error?.[".tag"] === "missing_scope" ? String(error.required_scope) : undefined;
}

/** The seconds to wait that the answer itself names; they may also be null. */
function secondsIn({ body }: Answer): unknown {
  return (body as { error?: { retry_after?: unknown } | null } | null)?.error?.retry_after;
}

/** What can be shown of an answer that means nothing here. */
function shown(answer: Answer): string {
  const tags = tagsOf(answer).join("/");
  const text = typeof answer.body === "string" ? answer.body : tags;
  // The service repeats headers that it cannot read.
  const safe = text.replaceAll(/\b(Bearer|Basic)\b[\s:]*[^\s'"]+/gi, "$1 …").replaceAll(/\s+/g, " ");
  return `${answer.status} ${safe.slice(0, 300)}`.trim();
}

/** Names the request, by which Dropbox's support finds it. */
function reference({ headers }: Answer): string {
  const id = headers.get("x-dropbox-request-id");
  return id === null ? "" : `, request ${id.slice(0, 64)}`;
}
