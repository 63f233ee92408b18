/** Longest text that is shown whole: enough to find it again in the file. */
const MAX_SHOWN = 48;

/** A field whose name says that a secret is below it. */
const SENSITIVE_NAME = /secret|token|password|passphrase|credential|key/i;

/** Texts that are secrets wherever they stand: private keys, tokens, and connection strings with a password. */
const SECRETS = [
  /AGE-SECRET-KEY-/i,
  /-----BEGIN/,
  /^eyJ[\w-]+\.[\w-]+/,
  /^(sb_secret|sbp|sk|ghp|github_pat|xox[a-z]|ya29|sl)[_.-]/,
  /(password|passwd|pwd|passphrase|secret|token|api_?key)\s*[=:]/i,
  /^[^\s/@]+:(?!\/\/)[^\s@]+@/,
];

/** Whether what stands at a path may be a secret, by the names of the fields on the way. */
export function isSensitive(path: readonly PropertyKey[]): boolean {
  return path.some((part) => typeof part === "string" && SENSITIVE_NAME.test(part));
}

/** A value as a message may show it: shortened, and never a secret. */
export function show(value: unknown, sensitive: boolean): string {
  if (value === undefined) return "nothing";
  if (value === null) return "nothing (null)";
  if (Array.isArray(value)) {
    if (value.length === 0) return "an empty list";
    return value.length === 1 ? "a list of 1 entry" : `a list of ${value.length} entries`;
  }
  if (typeof value === "object") {
    const names = Object.keys(value);
    if (names.length === 0) return "an empty object";
    const more = names.length > 5 ? ", …" : "";
    return `an object with ${names.slice(0, 5).map(showName).join(", ")}${more}`;
  }
  if (typeof value === "string") return sensitive ? hidden(value) : showText(value);
  return sensitive ? `a ${typeof value} that is not shown` : JSON.stringify(value);
}

/** The name of a field that a person wrote, as a message may show it. */
export function showName(name: string): string {
  return /^[\w.-]{1,48}$/.test(name) && !SECRETS.some((secret) => secret.test(name)) ? name : showText(name);
}

function showText(text: string): string {
  if (SECRETS.some((secret) => secret.test(text.trim()))) return hidden(text);
  // A URL without its user, password and parameters. Up to the last @: a password that is not encoded may hold one.
  const safe = text.includes("://") ? text.replace(/:\/\/.*@/s, "://…@").replace(/[?#].*$/s, "?…") : text;
  const shown = safe.length > MAX_SHOWN ? `${safe.slice(0, MAX_SHOWN)}…` : safe;
  return JSON.stringify(shown);
}

function hidden(text: string): string {
  return text === "" ? "an empty text" : `a text of ${text.length} characters that is not shown`;
}
