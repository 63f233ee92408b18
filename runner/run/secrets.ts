import { readFile } from "node:fs/promises";
import { SECRETS_FILE_VARIABLE, secretVariable } from "../../providers/environment.ts";
import { ProviderError } from "../../providers/errors.ts";
import type { SecretRef } from "../../providers/fields/secret-ref.ts";

/**
 * Finds what a reference refers to.
 *
 * @param at where the reference stands, for messages, for instance `database.url`.
 * @throws ProviderError `CONFIG` where there is nothing, or only an empty text.
 */
export async function resolveSecret(ref: SecretRef, at: string, environment: NodeJS.ProcessEnv): Promise<string> {
  const value = await lookUp(ref, at, environment);
  if (value !== "") return value;
  throw new ProviderError("CONFIG", `${at}: the secret ${JSON.stringify(ref)} is empty.`, { fix: "Give it a value." });
}

async function lookUp(ref: SecretRef, at: string, environment: NodeJS.ProcessEnv): Promise<string> {
  if ("env" in ref) {
    const value = environment[ref.env];
    if (value !== undefined) return value;
    throw new ProviderError("CONFIG", `${at}: the environment variable ${ref.env} is not set.`, {
      fix: `Set ${ref.env} where the runner is started.`,
    });
  }
  if ("file" in ref) return (await readSecretFile(ref.file, at)).replace(/\r?\n$/, "");
  if ("arn" in ref || "ssm" in ref) {
    const name = "arn" in ref ? ref.arn : ref.ssm;
    throw new ProviderError("CONFIG", `${at}: only the aws target can resolve ${name}.`, {
      fix: "Outside AWS use { env: NAME } or { file: /path }.",
    });
  }
  const file = environment[SECRETS_FILE_VARIABLE];
  const value = file === undefined ? environment[secretVariable(ref.secret)] : await fromFile(file, ref.secret, at);
  if (value !== undefined) return value;
  throw new ProviderError(
    "CONFIG",
    `${at}: the secret "${ref.secret}" is not in ${file ?? `the environment (${secretVariable(ref.secret)})`}.`,
    { fix: `Set it with: pulumi config set --path --secret 'provision:secrets.${ref.secret}', then pulumi up.` },
  );
}

async function fromFile(file: string, name: string, at: string): Promise<string | undefined> {
  const content = await readSecretFile(file, at);
  let secrets: unknown;
  try {
    secrets = JSON.parse(content);
  } catch {
    // The parser's own message would quote the content.
    throw new ProviderError("CONFIG", `${at}: ${file} is not JSON.`, {
      fix: "It must be an object of secrets by name; `pulumi up` writes it.",
    });
  }
  const value: unknown = typeof secrets === "object" && secrets !== null ? Reflect.get(secrets, name) : undefined;
  return typeof value === "string" ? value : undefined;
}

async function readSecretFile(file: string, at: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new ProviderError("CONFIG", `${at}: the secret's file ${file} cannot be read.`, {
      cause: error,
      fix: "It must exist and be readable by the user that runs the backup, and by nobody else (chmod 600).",
    });
  }
}
