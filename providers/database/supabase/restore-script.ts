import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { ProviderError, reworded, toProviderError } from "../../errors.ts";
import type { RestoreArtifact, RestoreOptions } from "../database.ts";
import { literal } from "../postgres/artifacts/sql-artifact.ts";
import { BEGIN_SESSION, type ControlConnection } from "../postgres/connect/control-connection.ts";
import type { ProgramDirectory } from "../postgres/programs/clients.ts";
import { connecting } from "../postgres/programs/libpq-environment.ts";
import { feed, type Program } from "../postgres/programs/program.ts";
import type { PostgresSettings } from "../postgres/settings.ts";
import { IN_OWN_SCHEMA } from "./platform.ts";
import { RestoreMessages, STRICT } from "./refusable.ts";
import { psqlArguments } from "./rows.ts";

/** What the restore of a project works with. */
export interface ProjectRestore {
  readonly settings: PostgresSettings;
  readonly control: ControlConnection;
  readonly clients: ProgramDirectory;
  readonly archive: RestoreArtifact;
  readonly artifacts: readonly RestoreArtifact[];
  readonly options: RestoreOptions;
}

/** One step of the script. */
export interface Step {
  readonly title: string;
  /** As the role that logs in, which may be a superuser, and not as `postgres`. */
  readonly asLogin?: boolean;
  readonly text: () => AsyncIterable<Buffer | string> | Iterable<Buffer | string>;
}

/** Before the number of a step, where psql says that it begins. */
const STEP_MARK = "provision-step";
const STEP_LINE = new RegExp(`^${STEP_MARK} (\\d+)$`);

/**
 * Runs all steps as one script of psql, in one session and one transaction: all of it commits together, and a setting of the
 * session holds for what needs it.
 *
 * @returns what the server said
 */
export async function runScript(restore: ProjectRestore, steps: readonly Step[]): Promise<RestoreMessages> {
  const { settings, control, clients, options } = restore;
  const { connection } = settings;
  let written = "the beginning";
  let reached = written;
  let sourceError: unknown;
  const script = async function* (): AsyncGenerator<Buffer | string> {
    yield (
      `${BEGIN_SESSION};\nBEGIN;\n` +
      `SET ${STRICT} = ${options.strict === true ? "on" : "off"};\n` +
      "SET client_min_messages = warning;\nSET search_path = '';\n" +
      // If something ends this transaction early, the table is missing at the end.
      "CREATE TEMPORARY TABLE provision_restore () ON COMMIT DROP;\n"
    );
    for (const [index, { title, text, asLogin = false }] of steps.entries()) {
      written = title;
      // psql itself says which step it is at: it is far behind what is written to it.
      yield `\\warn ${STEP_MARK} ${index}\n`;
      // A superuser, too, restores as postgres all that does not need a superuser.
      yield asLogin ? "RESET ROLE;\n" : "SET ROLE postgres;\n";
      try {
        yield* text();
      } catch (error) {
        sourceError = error;
        throw error;
      }
    }
    yield `\\warn ${STEP_MARK} ${steps.length}\nRESET ROLE;\nDROP TABLE pg_temp.provision_restore;\nNOTIFY pgrst, 'reload schema';\nCOMMIT;\n`;
  };
  const messages = new RestoreMessages();
  const psql: Program = {
    ...connecting(connection, control, clients),
    name: "psql",
    // Messages with SQLSTATEs and names of their own; anything else in them is withheld.
    args: [...psqlArguments(connection.database), "--file=-"],
    otherwise: "INTERNAL",
    tables: new Set(options.facts.tables.map(({ name }) => name)),
    onMessage: (line) => {
      const [, index] = STEP_LINE.exec(line) ?? [];
      if (index === undefined) messages.take(line);
      else reached = steps[Number(index)]?.title ?? "the end";
    },
  };
  try {
    await feed(psql, Readable.from(script(), { objectMode: false }), options.signal);
    return messages;
  } catch (error) {
    const { code, fix = "Nothing was restored. Correct the cause in a new project, and restore again." } =
      toProviderError(error);
    if (code === "ABORTED") throw error;
    const step = error === sourceError ? written : reached;
    const { extensions, refused } = messages;
    const [first] = options.strict === true ? refused : [];
    if (first !== undefined) {
      const why = code === "AUTH" ? `${fix} ` : "";
      throw new ProviderError(
        code === "INTERNAL" ? "CONFLICT" : code,
        `Nothing was restored; in the step "${step}", the server refused ${first}.`,
        { cause: error, fix: `${why}Without --strict, a restore lists it and continues.` },
      );
    }
    const lacks = extensions.length === 1 ? "the extension" : "the extensions";
    const needed =
      extensions.length === 0 ? "" : ` The server lacks ${lacks} ${extensions.join(", ")}, which this may need.`;
    throw reworded(error, (own) => `Nothing was restored; in the step "${step}": ${own}`, `${fix}${needed}`);
  }
}

/** Gives or takes the right to create in the project's own schemas, as far as they are postgres's to give. */
export function createInOwnSchemas(verb: "GRANT" | "REVOKE", role: string): string {
  const to = verb === "GRANT" ? "TO" : "FROM";
  return (
    "DO $create$ DECLARE s text; BEGIN FOR s IN SELECT quote_ident(nspname) FROM pg_namespace " +
    `WHERE ${IN_OWN_SCHEMA} ` +
    `AND pg_has_role(nspowner, 'USAGE') AND nspowner <> ${literal(role)}::regrole ` +
    `LOOP EXECUTE '${verb} CREATE ON SCHEMA ' || s || ${literal(` ${to} ${role}`)}; END LOOP; END $create$`
  );
}

const MEMBERSHIPS = "provision.memberships";

/**
 * Makes `postgres` a member of roles, as far as it is none, until {@link TAKE_MEMBERSHIPS_BACK} in the same transaction. Only a
 * member may give an object to a role, and from then on give rights to it.
 *
 * @param roles as SQL has them
 */
export function becomeMember(roles: readonly string[], serverMajor: number): string {
  const may = (what: string): string => `pg_has_role('postgres'::name, r::oid, '${what}')`;
  // Before 16 a membership was all there was to it; since then a grantor's further grant changes the options of the first.
  const [enough, old, options] =
    serverMajor < 16
      ? [may("MEMBER"), "NULL", ""]
      : [
          `${may("USAGE")} AND ${may("SET")}`,
          `(SELECT format('GRANT %s TO postgres WITH INHERIT %s, SET %s; ', r, inherit_option::text, set_option::text)
            FROM pg_auth_members WHERE roleid = r AND member = 'postgres'::regrole
              AND grantor = (SELECT CASE WHEN rolsuper THEN 10 ELSE oid END FROM pg_roles WHERE rolname = current_user))`,
          " WITH INHERIT TRUE, SET TRUE",
        ];
  return (
    `DO $member$ DECLARE r regrole; old text; back text := ''; BEGIN FOREACH r IN ARRAY ARRAY[${roles.map(literal).join(", ")}]::regrole[] ` +
    `LOOP CONTINUE WHEN ${enough}; old := ${old}; EXECUTE format('GRANT %s TO postgres${options}', r); ` +
    `back := back || coalesce(old, format('REVOKE %s FROM postgres; ', r)); END LOOP; ` +
    `PERFORM set_config('${MEMBERSHIPS}', back, true); END $member$`
  );
}

/** See {@link becomeMember}. */
export const TAKE_MEMBERSHIPS_BACK = `DO $member$ BEGIN IF current_setting('${MEMBERSHIPS}') <> '' THEN EXECUTE current_setting('${MEMBERSHIPS}'); END IF; END $member$`;

/** Without the transaction that pg_restore puts around large objects: it would end the one around everything. */
export async function* withoutTransaction(text: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  // Large objects are written as hexadecimal digits, so that no line of theirs can be taken for a command.
  let rest = "";
  for await (const chunk of text) {
    const lines = (rest + chunk.toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    const kept = lines.filter((line) => line !== "BEGIN;" && line !== "COMMIT;");
    yield Buffer.from(kept.map((line) => `${line}\n`).join(""), "latin1");
  }
  yield Buffer.from(rest, "latin1");
}

/** The first psql of each version that can be kept from running commands, as minor versions. */
const RESTRICT_SINCE: Readonly<Record<number, number>> = { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 };

/** The text, in which psql takes no command (as to run a program) where it is new enough to be told so. */
export async function* withoutCommands(version: string, text: AsyncIterable<Buffer>): AsyncGenerator<Buffer | string> {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const key = major > 17 || minor >= (RESTRICT_SINCE[major] ?? Infinity) ? randomBytes(16).toString("hex") : undefined;
  if (key !== undefined) yield `\\restrict ${key}\n`;
  yield* text;
  if (key !== undefined) yield `\\unrestrict ${key}\n`;
}

/** Text before and after what a stream gives. */
export async function* sequence(
  before: string,
  middle: AsyncIterable<Buffer | string>,
  after: string,
): AsyncGenerator<Buffer | string> {
  yield before;
  yield* middle;
  yield after;
}
