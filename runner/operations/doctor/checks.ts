import type { Check } from "../../../providers/database/database.ts";
import { type ErrorCode, toProviderError } from "../../../providers/errors.ts";

/** What to do about a failure that does not say so itself. */
const FIXES: Readonly<Record<ErrorCode, string>> = {
  CONFIG: "Correct the job's configuration where the message says.",
  AUTH: "Check the credentials of this part of the job, and their rights.",
  NOT_FOUND: "Create what is missing, or correct the job's configuration to where it is.",
  CONFLICT: "Check what is there already, and use another folder or prefix.",
  QUOTA: "Make room there, or keep fewer backups.",
  RATE_LIMITED: "Try again later; other programs may be using up the same limit.",
  TRANSIENT: "Try again; if it fails again, check the network and the service's status page.",
  INTEGRITY: "Check what is between here and there: a proxy, a virus scanner, bad memory or disks.",
  ABORTED: "It was interrupted: try again.",
  INTERNAL: "Read the message; if it does not help, report it.",
};

/** One check: what a look finds is the detail, and what it throws the failure. */
export async function* guarded(name: string, look: () => Promise<string>): AsyncGenerator<Check> {
  try {
    yield { name, ok: true, detail: await look() };
  } catch (error) {
    yield failed(name, error);
  }
}

/** A check that has failed, with what to do about it. */
export function failed(name: string, error: unknown): Check {
  const { message, code, fix = FIXES[code] } = toProviderError(error);
  return { name, ok: false, detail: message, fix };
}

/** The check; one that has failed without saying what to do says so now. */
export function withFix(check: Check): Check {
  return check.ok || check.fix !== undefined ? check : { ...check, fix: FIXES.INTERNAL };
}
