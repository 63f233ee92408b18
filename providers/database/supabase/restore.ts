import { ProviderError, reworded } from "../../errors.ts";
import type { RestoreArtifact, RestoreOptions, RestoreReport } from "../database.ts";
import { type ControlConnection, withConnection } from "../postgres/connect/control-connection.ts";
import { countObjects } from "../postgres/restore/contents.ts";
import { codeRunsAs, openArchive } from "../postgres/restore/restore.ts";
import type { PostgresSettings } from "../postgres/settings.ts";
import { platformScope } from "./backup.ts";
import { compareInventories, type ProjectComparison } from "./compare.ts";
import { readInventory, takeInventory } from "./inventory.ts";
import { openTables } from "./platform-objects.ts";
import { missingName, type RestoreMessages } from "./refusable.ts";
import { planRestore } from "./restore-plan.ts";
import { newRoles } from "./restore-roles.ts";
import { type ProjectRestore, runScript } from "./restore-script.ts";
import { checkTarget, requireConfirmation, targetReference } from "./target.ts";

/** What no restore brings back, whatever the backup holds. */
const NEVER_RESTORED: readonly string[] = [
  "passwords of roles: no backup has them; set those of your own roles again (ALTER ROLE … PASSWORD)",
  "the owner, privileges, connection limit, comment and settings of the database itself: pg_restore --create of database.dump has them",
  "settings of roles that every project has (ALTER ROLE authenticator SET …): roles.sql has them",
  "the platform's lists of its own migrations (auth.schema_migrations, storage.migrations)",
  "messages of Realtime, the history of pg_cron's runs and of database webhooks, and requests of pg_net",
  "files in Storage: only their rows are in the database",
  "what the dashboard keeps outside of the database: API keys, the JWT secret, settings of Auth, Edge Functions",
];

/** The only errors that do not end a restore, for its plan. */
function allowedErrors(strict: boolean): string {
  if (strict) return "errors that do not end it: none, because of --strict";
  return (
    "errors that do not end it, each of which is shown: an extension or its version that the server does not have; objects " +
    `on the platform's tables that exist already, or that only the table's owner may create; privileges on objects ` +
    "that the platform's version does not have or does not let postgres grant; event triggers, and attributes, settings and " +
    "memberships of roles, that only a superuser may create"
  );
}

/** Restores a backup of a project into another, new one, in one transaction: completely or not at all. */
export async function restoreProject(
  settings: PostgresSettings,
  artifacts: readonly RestoreArtifact[],
  options: RestoreOptions,
): Promise<RestoreReport> {
  const { connection } = settings;
  const { dryRun = false, noOwner, signal, strict = false } = options;
  if (options.jobs > 1) {
    throw new ProviderError("CONFIG", "A project is restored in one transaction, which only one job can do.", {
      fix: "Leave --jobs out.",
    });
  }
  const check = async (control: ControlConnection): Promise<void> => {
    await checkTarget(control, options);
    if (!dryRun) requireConfirmation(connection, options.confirm);
  };
  if (options.prove !== undefined) {
    await withConnection(connection, signal, check);
    await options.prove();
  }
  return withConnection(connection, signal, async (control) => {
    await check(control);
    const { archive, clients } = await openArchive(control, artifacts, settings.clients);
    if (archive.format !== "pg_dump-custom") {
      throw new ProviderError(
        "CONFIG",
        `${archive.name} cannot be restored into a project: several workers dumped it.`,
      );
    }
    const restore: ProjectRestore = { settings, control, clients, archive, artifacts, options };
    const roles = await newRoles(control, artifacts, options);
    const plan = await planRestore(restore, roles.statements);
    const steps = [...plan.steps.map(({ title }) => title), codeRunsAs("postgres")];
    const common = {
      database: targetReference(connection),
      leftOut: [...plan.leftOut, ...NEVER_RESTORED],
      warnings: [
        ...roles.notes,
        ...(noOwner ? ["Owners and privileges were not restored: everything belongs to postgres."] : []),
      ],
    };
    if (dryRun) return { ...common, steps: [...steps, allowedErrors(strict)], objects: {}, rolesCreated: [] };
    // What the comparison needs must be readable before anything is changed.
    const compare = await readComparison(restore);
    const messages = await runScript(restore, plan.steps);
    for (const table of plan.withoutTables) messages.missing.add(missingName("table", table));
    const warnings = [...common.warnings, ...messages.warnings];
    const found = await compareRestored(restore, (after) => compare(after, messages));
    const differences = [...openTables(messages.missing), ...found.differences];
    return { ...common, steps, rolesCreated: roles.names, refused: messages.refused, warnings, ...found, differences };
  });
}

/** Reads the backup's inventory, and returns what compares it with the target. */
async function readComparison({
  artifacts,
  options,
}: ProjectRestore): Promise<(control: ControlConnection, messages: RestoreMessages) => Promise<ProjectComparison>> {
  const artifact = artifacts.find(({ format }) => format === "inventory");
  if (artifact === undefined) {
    const compared = ["nothing was compared: the backup has no inventory"];
    return () => Promise.resolve({ compared, differences: [] });
  }
  const backup = await readInventory(artifact.name, artifact.open(options.signal));
  return async (control, messages) => {
    await control.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const restored = await takeInventory(control, await platformScope(control), backup);
    await control.query("COMMIT");
    return compareInventories(backup, restored, messages.missing, options.noOwner);
  };
}

/** Compares over a new connection: the first has been silent for as long as the restore took. */
async function compareRestored(
  { settings, control: { host }, options }: ProjectRestore,
  compare: (control: ControlConnection) => Promise<ProjectComparison>,
): Promise<ProjectComparison & Pick<RestoreReport, "objects">> {
  try {
    const work = async (after: ControlConnection) => {
      return { ...(await compare(after)), objects: await countObjects(after) };
    };
    return await withConnection(settings.connection, options.signal, work, { host });
  } catch (error) {
    throw reworded(error, (own) => `The project was restored, but could not be compared with the backup. ${own}`);
  }
}
