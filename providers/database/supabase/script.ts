import { randomBytes } from "node:crypto";
import { dataSchemas, platformSchemas, sqlList } from "./platform.ts";
import { literal } from "./rows.ts";

/** Gives or takes the right to create in the project's own schemas, as far as they are postgres's to give. */
export function createInOwnSchemas(verb: "GRANT" | "REVOKE", role: string): string {
  const to = verb === "GRANT" ? "TO" : "FROM";
  return (
    "DO $create$ DECLARE s text; BEGIN FOR s IN SELECT quote_ident(nspname) FROM pg_namespace " +
    `WHERE nspname !~ '^(pg_|information_schema$)' AND nspname NOT IN (${sqlList([...platformSchemas, ...dataSchemas])}) ` +
    `AND pg_has_role(nspowner, 'USAGE') AND nspowner <> ${literal(role)}::regrole ` +
    `LOOP EXECUTE '${verb} CREATE ON SCHEMA ' || s || ${literal(` ${to} ${role}`)}; END LOOP; END $create$`
  );
}

const takenBack = "provision.memberships";

/**
 * Makes `postgres` a member of roles, as far as it is none, until {@link takeMembershipsBack} in the same transaction. Only a
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
    `PERFORM set_config('${takenBack}', back, true); END $member$`
  );
}

/** See {@link becomeMember}. */
export const takeMembershipsBack = `DO $member$ BEGIN IF current_setting('${takenBack}') <> '' THEN EXECUTE current_setting('${takenBack}'); END IF; END $member$`;

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
const restrictFrom: Readonly<Record<number, number>> = { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 };

/** The text, in which psql takes no command (as to run a program) where it is new enough to be told so. */
export async function* withoutCommands(version: string, text: AsyncIterable<Buffer>): AsyncGenerator<Buffer | string> {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const key = major > 17 || minor >= (restrictFrom[major] ?? Infinity) ? randomBytes(16).toString("hex") : undefined;
  if (key !== undefined) yield `\\restrict ${key}\n`;
  yield* text;
  if (key !== undefined) yield `\\unrestrict ${key}\n`;
}

/** Text before and after what a stream gives. */
export async function* sequence(
  before: string,
  middle: AsyncIterable<Buffer>,
  after: string,
): AsyncGenerator<Buffer | string> {
  yield before;
  yield* middle;
  yield after;
}
