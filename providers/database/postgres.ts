import { defineDatabase } from "./database.ts";
import { postgresFormats } from "./postgres/artifacts/formats.ts";
import { postgresPorts, postgresSchema } from "./postgres/settings.ts";
import type { DeployedTask, Lack, PolicyStatement } from "../definition.ts";
import type { Auth } from "./postgres/connect/rds.ts";

/** What the role of a task may do that connects with tokens: be one user of one database. */
function rdsPermissions(
  { auth }: { readonly auth?: Auth | undefined },
  { partition, region, account }: Pick<DeployedTask, "partition" | "region" | "account">,
): PolicyStatement[] {
  if (auth === undefined || typeof auth === "string") return [];
  const where = `${auth.region ?? region}:${account}`;
  return [
    {
      Effect: "Allow",
      Action: ["rds-db:connect"],
      Resource: [`arn:${partition}:rds-db:${where}:dbuser:${auth.resourceId}/${auth.user}`],
    },
  ];
}

/** Without the database's id and the user, a role would have to be allowed every database of the account. */
function rdsLack({ auth }: { readonly auth?: Auth | undefined }): Lack | undefined {
  if (typeof auth !== "string") return undefined;
  return {
    field: "auth",
    message: `on the target aws, expected the one database and user that the task's role may connect as, got ${JSON.stringify(auth)}`,
    fix:
      `Write auth: { kind: ${auth}, resourceId: db-…, user: … }. The ids: aws rds describe-db-instances ` +
      "--query 'DBInstances[].[DBInstanceIdentifier,DbiResourceId]'; of Aurora: aws rds describe-db-clusters " +
      "--query 'DBClusters[].[DBClusterIdentifier,DbClusterResourceId]'",
  };
}

/** `kind: postgres` */
export const postgres = defineDatabase({
  schema: postgresSchema,
  secrets: ["url"],
  formats: postgresFormats,
  ports: postgresPorts,
  permissions: rdsPermissions,
  lacksOnAws: rdsLack,
  create: async (config, { secrets }) => (await import("./postgres/open.ts")).openConfigured(config, secrets),
  startThrowaway: async (programs, signal) =>
    (await import("./postgres/throwaway/server.ts")).startThrowaway(programs, signal),
  verify: async (artifact, bytes, config, signal) =>
    (await import("./postgres/artifacts/verify.ts")).verifyPostgresArtifact(artifact, bytes, config, signal),
  countRows: async (artifact, bytes, config, signal) =>
    (await import("./postgres/artifacts/verify.ts")).countPostgresRows(artifact, bytes, config, signal),
});
