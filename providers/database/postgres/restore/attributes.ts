import { type Readable } from "node:stream";
import { ProviderError, toProviderError } from "../../../errors.ts";
import { readText, splitStatements } from "../artifacts/sql-artifact.ts";
import type { ControlConnection } from "../connect/control-connection.ts";
import type { ProgramDirectory } from "../programs/clients.ts";
import { type ArchiveReader, archiveReader } from "../programs/program.ts";
import { IDENTIFIER } from "../roles/roles-sql.ts";

/** What an archive says of its database itself: owner, privileges, comment, connection limit, settings and security labels. */
export interface Attributes {
  /** For the target's name; as they are shown, without values, which may be secret. */
  readonly statements: readonly { readonly sql: string; readonly shown: string }[];
  /** What only CREATE DATABASE sets, one sentence each. */
  readonly leftOut: readonly string[];
  /** Of the statements' bytes, as `client_encoding` has it. */
  readonly encoding: string;
}

/** pg_restore writing these statements, and nothing of a schema: no name is as long as this one. */
export function attributesReader(clients: ProgramDirectory, noOwner: boolean, path?: string): ArchiveReader {
  const choice = ["--create", `--schema=${"-".repeat(64)}`, ...(noOwner ? ["--no-owner", "--no-privileges"] : [])];
  return archiveReader(clients, [...choice, "--file=-", ...(path === undefined ? [] : [path])]);
}

const FORM = new RegExp(
  String.raw`^((?:ALTER(?: ROLE ${IDENTIFIER} IN)?|COMMENT ON|SECURITY LABEL FOR ${IDENTIFIER} ON|(?:GRANT|REVOKE) [A-Z, ]+ ON) DATABASE )${IDENTIFIER} ((?:OWNER TO|CONNECTION LIMIT|IS_TEMPLATE|SET|TO|FROM|IS) .+)$`,
  "s",
);
const TABLESPACE = new RegExp(String.raw`^CREATE DATABASE .* TABLESPACE = ${IDENTIFIER}$`, "s");

/** Reads the output of {@link attributesReader}. The grantor of a privilege is the owner then, whoever it was. */
export async function readAttributes(output: Readable, quotedName: string): Promise<Attributes> {
  const { complete } = splitStatements(await readText("The archive's table of contents", output, "raw"));
  const statements = complete.flatMap((sql) => {
    const [, before = "", , , , rest] = FORM.exec(sql) ?? [];
    if (rest === undefined) return [];
    const own = `${before}${quotedName} ${rest}`;
    return [{ sql: own, shown: own.replace(/ (?:TO|IS) E?'.*$/s, "") }];
  });
  const tablespace = complete.map((sql) => TABLESPACE.exec(sql)?.[1]).find((name) => name !== undefined);
  const leftOut = `the database's tablespace ${tablespace ?? ""}: CREATE DATABASE … TABLESPACE sets it`;
  const encoding = complete
    .map((sql) => /^SET client_encoding = '([\w-]+)'$/.exec(sql)?.[1])
    .find((name) => name !== undefined);
  return { statements, leftOut: tablespace === undefined ? [] : [leftOut], encoding: encoding ?? "UTF8" };
}

/** Whether the role may grant privileges on the database: to one that may not, GRANT is no error where it has no effect. */
const MAY_GRANT = "SELECT pg_has_role(datdba, 'USAGE') AS may FROM pg_database WHERE datname = current_database()";

/**
 * Gives the connection's database the attributes, in one transaction, and says what the server refused, one sentence each: a role that
 * it lacks, or a right that the connecting role lacks.
 */
export async function applyAttributes(
  control: ControlConnection,
  { statements, encoding }: Attributes,
): Promise<readonly string[]> {
  const refused: string[] = [];
  await control.query(`BEGIN; SET LOCAL client_encoding = '${encoding}'`);
  for (const { sql, shown } of statements) {
    await control.query("SAVEPOINT attribute");
    try {
      const mayRun = !/^(GRANT|REVOKE) /.test(sql) || (await control.one<{ may: boolean }>(MAY_GRANT)).may;
      if (!mayRun) throw new ProviderError("AUTH", "Only a member of the database's owner may.");
      await control.query(sql);
    } catch (error) {
      await control.query("ROLLBACK TO attribute");
      refused.push(`${shown}: ${toProviderError(error).message}`);
    }
  }
  await control.query("COMMIT");
  return refused;
}
