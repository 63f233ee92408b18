import { z } from "zod";

/** A secret's name in the stack: it becomes part of an environment variable's name and of a secret's name at AWS. */
export const SecretName = z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,62}$/, {
  error: "expected a letter, then letters, digits or underscores, 63 at most",
});

/**
 * Where a secret is found. A secret itself never stands in a configuration:
 *
 * - `{ secret: name }`: one of the stack's, set with `pulumi config set --path --secret 'provision:secrets.name'`;
 * - `{ env: NAME }`: an environment variable of the runner;
 * - `{ file: path }`: a file on the runner's machine (its last newline is dropped);
 * - `{ arn: … }`: an existing Secrets Manager secret that never enters the stack's state;
 * - `{ ssm: … }`: an existing parameter of Systems Manager, by its name or its ARN.
 *
 * A run reads each value once, when it begins; on AWS, when its task starts. A secret that is rotated then counts from the next run on.
 */
export const SecretRef = z
  .union(
    [
      z.strictObject({
        secret: SecretName.describe("Name of one of the stack's secrets (provision:secrets).").meta({
          examples: ["appDatabaseUrl"],
        }),
      }),
      z.strictObject({
        env: z
          .string()
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
            error: "expected the name of an environment variable: letters, digits and underscores, no digit first",
          })
          .describe("Name of an environment variable of the runner.")
          .meta({ examples: ["APP_DATABASE_URL"] }),
      }),
      z.strictObject({
        file: z
          .string()
          .startsWith("/", { error: "expected an absolute path, which starts with '/'" })
          .describe("Absolute path of a file on the runner's machine.")
          .meta({ examples: ["/etc/provision/app-database-url"] }),
      }),
      z.strictObject({
        arn: z
          .string()
          .regex(/^arn:[\w-]+:secretsmanager:/, { error: "expected the ARN of a secret: arn:aws:secretsmanager:…" })
          .describe("ARN of an existing AWS Secrets Manager secret.")
          .meta({ examples: ["arn:aws:secretsmanager:us-east-1:123456789012:secret:app-database-url"] }),
      }),
      z.strictObject({
        ssm: z
          .string()
          .regex(/^(arn:[\w-]+:ssm:[a-z0-9-]+:\d{12}:parameter)?\/?[\w.-]+(\/[\w.-]+)*$/, {
            error: "expected the name of a parameter, like /app/database-url, or its ARN: arn:aws:ssm:…:parameter/…",
          })
          .describe("Name or ARN of an existing parameter of AWS Systems Manager.")
          .meta({ examples: ["/app/database-url"] }),
      }),
    ],
    {
      error:
        "expected a reference to a secret: { secret: name }, { env: NAME }, { file: /path }, { arn: … } or { ssm: … }",
    },
  )
  .meta({ id: "SecretRef" });

/** A reference to a secret; see the schema of the same name. */
export type SecretRef = z.output<typeof SecretRef>;

/** The references that a configuration holds, by the fields that may hold one; those that it does not set are left out. */
export function referencesIn(config: object, fields: readonly string[]): [field: string, ref: SecretRef][] {
  return fields.flatMap((field) => {
    const ref = field
      .split(".")
      .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], config);
    return ref === undefined ? [] : [[field, ref as SecretRef]];
  });
}
