import { ProviderError } from "../../errors.ts";
import type { Connection } from "../postgres/connect/connection-url.ts";
import { place } from "../postgres/connect/control-connection.ts";

/** The name of a hosted project in a direct host's name, or in the user's name for a pooler. */
export function projectReference({ hosts, user }: Connection): string | undefined {
  const direct = hosts.map(({ host }) => /^db\.([a-z0-9]+)\.supabase\.(?:co|com)$/.exec(host)?.[1]);
  return direct.find((found) => found !== undefined) ?? /^[^.]+\.([a-z0-9]+)$/.exec(user)?.[1];
}

/** What a person must type to restore into a target: its project's reference, or where a self-hosted one is. */
export function targetReference(connection: Connection): string {
  const [host] = connection.hosts;
  return projectReference(connection) ?? `${host === undefined ? "" : place(host)}/${connection.database}`;
}

/** @throws {ProviderError} `CONFIG` where nobody has confirmed that it is this target */
export function requireConfirmation(connection: Connection, confirmed: string | undefined): void {
  const reference = targetReference(connection);
  if (confirmed === reference) return;
  const said = confirmed === undefined ? "nobody has confirmed that" : `--confirm says ${confirmed}`;
  throw new ProviderError("CONFIG", `The target is the project ${reference}, and ${said}: nothing was restored.`, {
    fix: `Look at the plan with --dry-run, and then say --confirm ${reference}.`,
  });
}
