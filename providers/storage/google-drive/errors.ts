import { ProviderError } from "../../errors.ts";
import { AnswerError, noAnswer } from "../../http/http.ts";
import type { Answer } from "../../http/http.ts";
import { failureOf, type Meaning } from "../../meaning.ts";

/** The answer in an error of ours, also where the SDK has wrapped it; nothing in any other error. */
export function answerIn(error: unknown): Answer | undefined {
  const inner = innermost(error);
  return inner instanceof AnswerError ? inner.answer : undefined;
}

/** The error that our own transport threw: the SDK wraps it. */
export function innermost(error: unknown): unknown {
  if (error instanceof AnswerError || error instanceof ProviderError) return error;
  return error instanceof Error && error.cause instanceof Error ? innermost(error.cause) : error;
}

/** What Google says of a request that it refuses. */
interface Complaint {
  /** For programs: `storageQuotaExceeded`. */
  readonly reason: string;
  /** For people. */
  readonly message: string;
  /** The parameter that is at fault: `driveId`. */
  readonly location: string;
}

/** What an answer complains of; empty texts where it is of another form. */
export function complaintOf({ body }: Answer): Complaint {
  const error = (body as { error?: { message?: unknown; errors?: unknown; details?: unknown } } | null)?.error;
  const [first] = Array.isArray(error?.errors) ? (error.errors as Record<string, unknown>[]) : [];
  const details = Array.isArray(error?.details) ? (error.details as Record<string, unknown>[]) : [];
  const detailed = details.map(({ reason }) => reason).find((reason) => typeof reason === "string");
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  // The older form names a missing scope only by its message.
  return {
    reason: text(detailed === "ACCESS_TOKEN_SCOPE_INSUFFICIENT" ? detailed : (first?.reason ?? detailed)),
    message: text(error?.message),
    location: text(first?.location),
  };
}

const BUSY: Meaning = [
  "RATE_LIMITED",
  "too many requests",
  "Let other programs that use the same Google Cloud project or account run at other times.",
];

/** What a reason means for a caller, and what a person can do about it. */
const meanings: Readonly<Record<string, Meaning>> = {
  userRateLimitExceeded: BUSY,
  rateLimitExceeded: BUSY,
  sharingRateLimitExceeded: BUSY,
  RATE_LIMIT_EXCEEDED: BUSY,
  dailyLimitExceeded: [
    "QUOTA",
    "the Google Cloud project has used up its requests of this day",
    "Wait for the next day, or raise the quota of the Google Drive API in Google's console (APIs & Services, Quotas).",
  ],
  storageQuotaExceeded: [
    "QUOTA",
    "the Google account is full",
    "Free some space (the trash counts, and so do Gmail and Photos), keep fewer backups, or get a larger plan. A full shared " +
      "drive needs more space for the whole Workspace.",
  ],
  uploadLimitExceeded: [
    "QUOTA",
    "the account has uploaded as much as Google takes in a day (750 GB)",
    "Wait for the next day, or write with another account.",
  ],
  downloadQuotaExceeded: [
    "QUOTA",
    "the file was downloaded too often of late",
    "Wait for a day, or use another destination's copy.",
  ],
  teamDriveFileLimitExceeded: [
    "QUOTA",
    "the shared drive has as many files as it takes",
    "Remove what is in its trash, keep fewer backups, or use another shared drive.",
  ],
  numChildrenInNonRootLimitExceeded: [
    "QUOTA",
    "the folder has as many files as it takes",
    "Use another folder or prefix, or keep fewer backups.",
  ],
  activeItemCreationLimitExceeded: [
    "QUOTA",
    "the account has as many files as it takes",
    "Remove some, or write with another account.",
  ],
  insufficientFilePermissions: [
    "AUTH",
    "the account may not do that",
    "Give it more access: Editor of the folder, or Content manager of the shared drive.",
  ],
  cannotDownloadAbusiveFile: [
    "AUTH",
    "Google takes the file for malware and does not give it out",
    "Download it by hand as its owner, who may ignore the warning. Backups that are encrypted are not looked into.",
  ],
  domainPolicy: [
    "AUTH",
    "the Workspace's admin does not allow the app to use Drive",
    "Ask the admin to trust the app (Admin console, Security, API controls, App access control).",
  ],
  teamDriveHierarchyTooDeep: ["CONFIG", "the folders are nested too deeply", "Use a shorter folder or prefix."],
  invalidSharingRequest: ["AUTH", "Google refuses to share the file", "Ask the Workspace's admin."],
};

const SCOPE_REASONS = /^(ACCESS_TOKEN_SCOPE_INSUFFICIENT|insufficientPermissions|appNotAuthorizedToFile)$/;

/**
 * The `ProviderError` for an answer: `Cannot <action>: <what it means>`.
 *
 * @param account who asked, for messages
 */
export function fromAnswer(answer: Answer, action: string, account: string): ProviderError {
  const { status } = answer;
  const complaint = complaintOf(answer);
  const meaning = byReason(complaint, account) ?? byStatus(status, complaint, account);
  const mark = complaint.reason === "" ? String(status) : `${status} ${complaint.reason}`;
  if (meaning === undefined) {
    return new ProviderError("INTERNAL", `Cannot ${action}: Google answers ${mark} ${shown(answer)}`.trimEnd() + ".");
  }
  return failureOf(action, meaning, mark, { waits: [answer.headers.get("retry-after")] });
}

/** The error for a request without an answer, or with half of one. */
export function unreachable(error: unknown, action: string): ProviderError {
  const hosts = "www.googleapis.com and oauth2.googleapis.com";
  return noAnswer(error, action, "Google", `Check the network: ${hosts} must be reachable on port 443.`);
}

/** The error for an answer that came from somebody else. */
export function notGoogle(action: string): ProviderError {
  return new ProviderError("TRANSIENT", `Cannot ${action}: the answer is not one of Google Drive's.`, {
    fix: "Check whether a proxy answers in place of www.googleapis.com.",
  });
}

function byReason({ reason, message }: Complaint, account: string): Meaning | undefined {
  if (reason === "storageQuotaExceeded" && /service account/i.test(message)) {
    return [
      "QUOTA",
      `${account} has no storage of its own`,
      "Use a shared drive: make one, add the account as a Content manager, and set driveId (or folderId of a folder in it). " +
        "Without a Workspace, which shared drives need, use clientId, clientSecret and refreshToken of a person's account.",
    ];
  }
  if (SCOPE_REASONS.test(reason)) {
    return [
      "AUTH",
      "the access that was granted does not cover it",
      "Get a new refresh token as docs/stores.md says, with the scope https://www.googleapis.com/auth/drive.file. With that scope " +
        "an app only sees what it made itself: for a folderId of a folder made by hand it must be " +
        "https://www.googleapis.com/auth/drive.",
    ];
  }
  if (reason === "accessNotConfigured" || reason === "SERVICE_DISABLED") {
    return [
      "CONFIG",
      "the Google Drive API is not enabled in the Google Cloud project of the credentials",
      "Enable it at https://console.cloud.google.com/apis/library/drive.googleapis.com, and try again some minutes later.",
    ];
  }
  return Object.hasOwn(meanings, reason) ? meanings[reason] : undefined;
}

function byStatus(status: number, { location, message }: Complaint, account: string): Meaning | undefined {
  if (status === 429) return BUSY;
  if (status === 401) {
    return [
      "AUTH",
      "Google does not accept the access token though it is new",
      "Check whether the app still has access (https://myaccount.google.com/connections), and get a new refresh token as " +
        "docs/stores.md says.",
    ];
  }
  if (status === 403) {
    return [
      "AUTH",
      `${account} has no access`,
      "Share the folder with it as an Editor, or add it to the shared drive.",
    ];
  }
  if (status === 404 && isDriveMissing(location, message)) {
    return [
      "CONFIG",
      `there is no such shared drive, or ${account} is not a member of it`,
      "Compare driveId with the end of the drive's address, https://drive.google.com/drive/folders/<driveId>, and add the " +
        "account to the drive as a Content manager.",
    ];
  }
  if (status === 404) {
    return ["NOT_FOUND", "it does not exist", "Check folder, folderId, driveId and prefix of the destination."];
  }
  if (status === 408 || status >= 500) {
    return [
      "TRANSIENT",
      "Google has a fault of its own",
      "Try again later; see https://www.google.com/appsstatus/dashboard.",
    ];
  }
  return undefined;
}

/** Whether a 404 is about the shared drive, and not about something in it. */
export function isDriveMissing(location: string, message: string): boolean {
  return location === "driveId" || message.startsWith("Shared drive not found");
}

/** What can be shown of an answer that means nothing here. */
function shown(answer: Answer): string {
  const { message } = complaintOf(answer);
  const text = message === "" && typeof answer.body === "string" ? answer.body : message;
  const safe = text.replaceAll(/\b(Bearer|Basic)\b[\s:]*[^\s'"]+/gi, "$1 …").replaceAll(/\bya29\.[\w.-]+/g, "…");
  return safe
    .replaceAll(/upload_id=[\w-]+/g, "upload_id=…")
    .replaceAll(/\s+/g, " ")
    .slice(0, 300)
    .trim();
}
