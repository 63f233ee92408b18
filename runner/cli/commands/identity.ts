import { Option } from "commander";
import type { FileKeySource } from "../../stream/age/decrypt.ts";
import { parseReference } from "../reference.ts";
import type { Run } from "../../run/run.ts";

/** The options of {@link chosenIdentity}. */
export interface IdentityOptions {
  readonly identity?: string;
}

/** Adds the option that names a private key other than the job's. */
export function identityOption(): Option {
  return new Option(
    "--identity <reference>",
    "age private key: env:NAME, file:/path or secret:name (default: the job's)",
  );
}

/** What decrypts: the private key of the option, else the job's; undefined without either. */
export function chosenIdentity(run: Run, { identity }: IdentityOptions): Promise<FileKeySource | undefined> {
  return run.openIdentity(identity === undefined ? undefined : parseReference("--identity", identity));
}
