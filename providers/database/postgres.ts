import { defineDatabase } from "./database.ts";
import { postgresFormats } from "./postgres/artifacts/formats.ts";
import { rdsLack, rdsPermissions } from "./postgres/connect/rds-permissions.ts";
import { postgresPorts, postgresSchema } from "./postgres/settings.ts";

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
