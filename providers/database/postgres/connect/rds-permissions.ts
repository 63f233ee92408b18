import type { DeployedTask, Lack, PolicyStatement } from "../../../definition.ts";
import type { Auth } from "./rds.ts";

/** What the role of a task may do that connects with tokens: be one user of one database. */
export function rdsPermissions(
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
export function rdsLack({ auth }: { readonly auth?: Auth | undefined }): Lack | undefined {
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
