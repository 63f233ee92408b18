import { ProviderError } from "../../providers/errors.ts";
import { SecretRef } from "../../providers/fields/secret-ref.ts";

/**
 * Reads a reference to a secret from the command line: `env:NAME`, `file:/path`, `secret:name` or an ARN.
 *
 * @throws ProviderError `CONFIG` for anything else. The text is not repeated: it may be the secret itself.
 */
export function parseReference(option: string, text: string): SecretRef {
  const [, kind, value] = /^(env|file|secret):(.+)$/.exec(text) ?? [];
  const parsed = SecretRef.safeParse(kind ? { [kind]: value } : { arn: text });
  if (parsed.success) return parsed.data;
  throw new ProviderError("CONFIG", `${option} expects a reference to a secret.`, {
    fix: "Write env:NAME, file:/path or secret:name. Everybody on a machine can read command lines: no secret belongs there.",
  });
}
