import type { DatabaseArtifact } from "../database.ts";
import { programOf, type Source } from "../postgres/dump/backup.ts";
import { databaseString } from "../postgres/programs/libpq-environment.ts";
import { type Program, readFrom } from "../postgres/programs/program.ts";
import { beginningOfPart, endOfPart } from "../postgres/artifacts/sql-artifact.ts";
import { noTimeouts } from "./timeouts.ts";

/** One step of a part that holds rows. */
export type RowsStep =
  /** SQL that stands in the part as it is. */
  | { readonly sql: string }
  /** The rows of a query, as the data of a COPY into what `into` names. */
  | { readonly copy: string; readonly into: string };

/** A part that psql writes and psql reads: statements, and rows that stream through in the form of COPY. */
export function rowsPart(source: Source, name: string, title: string, steps: readonly RowsStep[]): DatabaseArtifact {
  const print = (text: string): string => `SELECT ${literal(text)}`;
  const commands = [
    ...noTimeouts(source.control.serverMajor),
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    `SET TRANSACTION SNAPSHOT '${source.snapshot}'`,
    "SET search_path = ''",
    // As for pg_dump: rather an error than rows that are missing.
    "SET row_security = off",
    "SET standard_conforming_strings = on",
    print(beginningOfPart(title)),
    ...steps.flatMap((step) =>
      "sql" in step
        ? [print(`${step.sql};`)]
        : [print(`COPY ${step.into} FROM stdin;`), `COPY (${step.copy}) TO STDOUT`, print("\\.\n")],
    ),
    print(`\n${endOfPart.trimEnd()}`),
  ];
  const psql: Program = {
    ...programOf(source),
    name: "psql",
    args: [
      `--dbname=${databaseString(source.settings.connection.database)}`,
      "--no-psqlrc",
      "--no-password",
      "--quiet",
      "--tuples-only",
      "--no-align",
      "--set=ON_ERROR_STOP=1",
      "--set=VERBOSITY=verbose",
      ...commands.map((command) => `--command=${command}`),
    ],
  };
  return { name, format: "sql", required: true, covers: [title], open: (signal) => readFrom(psql, signal) };
}

/** A string as SQL has it, where backslashes mean nothing. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
