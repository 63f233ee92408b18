import { ProviderError } from "../errors.ts";

const where = "the dashboard (Project Settings > API Keys)";

/**
 * What a key shows without a request: `CONFIG` where it is none, is bound by the project's policies (anon,
 * publishable), or is another project's. The legacy keys are tokens (JWT) that say so themselves.
 */
export function checkKey(key: string, url: string): void {
  if (key === "") {
    throw refused("is empty", `Set the secret that key refers to; ${where} shows the key.`);
  }
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw refused("holds a space, a line end or another character that no key has", `Copy it again from ${where}.`);
  }
  const { role, ref } = claimsOf(key);
  if (key.startsWith("sb_publishable_") || role === "anon") {
    const public_ = role === "anon" ? "anon" : "publishable";
    throw refused(
      `is the ${public_} key, which everybody may know and which has no right to write`,
      `Take the secret key (sb_secret_…) or the legacy service_role key from ${where}.`,
    );
  }
  const project = /^https:\/\/([a-z0-9]{20})\.supabase\.\w+/.exec(url)?.[1];
  if (project !== undefined && ref !== undefined && ref !== project) {
    throw refused(
      `belongs to the project ${ref}, and url is the project ${project}'s`,
      `Take the key from ${where} of the project ${project}, or correct url.`,
    );
  }
}

function claimsOf(key: string): { role?: string; ref?: string } {
  try {
    const claims: unknown = JSON.parse(Buffer.from(key.split(".")[1] ?? "", "base64url").toString());
    const { role, ref } = claims as Record<string, unknown>;
    return { ...(typeof role === "string" && { role }), ...(typeof ref === "string" && { ref }) };
  } catch {
    return {};
  }
}

function refused(what: string, fix: string): ProviderError {
  return new ProviderError("CONFIG", `The key of the storage of kind supabase ${what}.`, { fix });
}
