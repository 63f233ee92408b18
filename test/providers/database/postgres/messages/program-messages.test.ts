import { describe, expect, it } from "vitest";
import {
  ProgramMessages,
  type MessageSource,
} from "../../../../../providers/database/postgres/messages/program-messages.ts";

const VALUE = "DE89370400440532013000";

function reportOf(name: MessageSource["name"], lines: readonly string[], tables?: readonly string[]) {
  const messages = new ProgramMessages(tables === undefined ? { name } : { name, tables: new Set(tables) });
  for (const line of lines) messages.take(line);
  return messages.report;
}

const copy = (...lines: string[]): string[] => [
  `pg_restore: error: COPY failed for table "accounts": ${lines[0] ?? ""}`,
  ...lines.slice(1),
];

describe("no value passes, in whatever language a server speaks,", () => {
  it.each<[string, string[]]>([
    [
      "German",
      copy(
        "FEHLER:  doppelter Schlüsselwert verletzt Unique-Constraint »accounts_pkey«",
        `DETAIL:  Schlüssel »(iban)=(${VALUE})« existiert bereits.`,
        "CONTEXT:  COPY accounts, Zeile 2",
      ),
    ],
    [
      "French",
      copy(
        `ERREUR:  syntaxe en entrée invalide pour le type integer : « ${VALUE} »`,
        `CONTEXT:  COPY accounts, ligne 2, colonne iban : « ${VALUE} »`,
      ),
    ],
    [
      "Japanese",
      copy(
        `ERROR:  "integer"型の入力構文が不正です: "${VALUE}"`,
        `CONTEXT:  accountsのCOPY、行 2、列 iban: "${VALUE}"`,
      ),
    ],
    [
      "Chinese",
      copy(`错误:  无效的类型 integer 输入语法: "${VALUE}"`, `CONTEXT:  COPY accounts, 行 2, 列 iban: "${VALUE}"`),
    ],
  ])("%s", (_language, lines) => {
    const { text, state } = reportOf("pg_restore", lines);
    expect(text).toMatch(/^pg_restore: error: COPY failed for table "accounts": the server's message is withheld/);
    expect(text).not.toContain("DE89");
    expect(state).toBeUndefined();
  });

  it("and the line of a table is reported where the words around it are foreign", () => {
    const lines = copy("FEHLER:  irgendetwas", "CONTEXT:  COPY accounts, Zeile 2");
    expect(reportOf("pg_restore", lines).text).toMatch(/; line 2 of the rows of accounts$/);
  });
});

describe("a text that imitates another does not pass:", () => {
  it.each<[string, MessageSource["name"], string[]]>([
    ["a program's line", "pg_restore", copy("ERROR:  x", `pg_restore: error: could not open file "${VALUE}"`)],
    [
      "a program's line after a notice",
      "pg_restore",
      ["pg_restore: WARNING:  x", `pg_restore: error: could not open "${VALUE}"`],
    ],
    [
      "a server's error after a notice",
      "pg_restore",
      ["pg_restore: WARNING:  x", `pg_restore: error: COPY failed for table "${VALUE}": ERROR:  deadlock detected`],
    ],
    ["a context", "pg_restore", copy("ERROR:  x", `CONTEXT:  COPY ${VALUE}, line 1`)],
    [
      "a second context",
      "psql",
      [`psql:<stdin>:1: ERROR:  22P02: x`, `CONTEXT:  COPY ${VALUE}, line 1`, "CONTEXT:  COPY t, line 2"],
    ],
    [
      "a command",
      "pg_restore",
      [
        "pg_restore: error: could not execute query: ERROR:  x",
        `Command was: CREATE INDEX ${VALUE} ON`,
        "Command was: SELECT 1",
      ],
    ],
    [
      "a name of a function's",
      "psql",
      ["psql:<stdin>:1: ERROR:  23505: x", `TABLE NAME:  ${VALUE}`, "LOCATION:  exec_stmt_raise, pl_exec.c:3900"],
    ],
    ["a name without a place", "psql", ["psql:<stdin>:1: ERROR:  23505: x", `TABLE NAME:  ${VALUE}`]],
    [
      "a command of psql in the rows",
      "psql",
      [`psql:<stdin>:7: error: invalid command \\${VALUE}`, `psql:<stdin>:8: ${VALUE}`],
    ],
    [
      "a known message from a function",
      "pg_restore",
      copy(`ERROR:  relation "${VALUE}" does not exist`, "CONTEXT:  PL/pgSQL function f(text) line 1 at RAISE"),
    ],
  ])("%s", (_what, name, lines) => {
    expect(reportOf(name, lines).text).not.toContain("DE89");
  });
});

describe("what helps does pass:", () => {
  it.each<[string, MessageSource["name"], string[], string]>([
    [
      "a program's own words",
      "pg_restore",
      ["pg_restore: error: could not read from input file: end of file"],
      "pg_restore: error: could not read from input file: end of file",
    ],
    [
      "a connection that is refused",
      "pg_dump",
      [
        'pg_dump: error: connection to server at "h", port 1 failed: Connection refused',
        "\tIs the server running on that host?",
      ],
      'pg_dump: error: connection to server at "h", port 1 failed: Connection refused Is the server running on that host?',
    ],
    [
      "what a pooler says to a connection",
      "pg_dump",
      ['pg_dump: error: connection to server at "h", port 1 failed: FATAL:  Tenant or user not found'],
      'pg_dump: error: connection to server at "h", port 1 failed: Tenant or user not found',
    ],
    [
      "names and the line of what psql was at",
      "psql",
      [
        'psql:<stdin>:12: ERROR:  23505: duplicate key value violates unique constraint "accounts_pkey"',
        `DETAIL:  Key (iban)=(${VALUE}) already exists.`,
        "CONTEXT:  COPY accounts, line 2",
        "SCHEMA NAME:  public",
        "TABLE NAME:  accounts",
        "CONSTRAINT NAME:  accounts_pkey",
        "LOCATION:  _bt_check_unique, nbtinsert.c:666",
      ],
      'duplicate key value violates unique constraint "accounts_pkey" (SQLSTATE 23505, integrity constraint violation); schema public, ' +
        "table accounts, constraint accounts_pkey, line 2 of the rows of accounts",
    ],
    [
      "the same of a server that speaks German",
      "psql",
      [
        "psql:<stdin>:12: FEHLER:  23505: doppelter Schlüsselwert verletzt Unique-Constraint »accounts_pkey«",
        `DETAIL:  Schlüssel »(iban)=(${VALUE})« existiert bereits.`,
        "CONTEXT:  COPY accounts, Zeile 2",
        "SCHEMA NAME:  public",
        "TABLE NAME:  accounts",
        "CONSTRAINT NAME:  accounts_pkey",
        "LOCATION:  _bt_check_unique, nbtinsert.c:666",
      ],
      "the server's message is withheld, because it may hold values of rows (SQLSTATE 23505, integrity constraint violation); schema " +
        "public, table accounts, constraint accounts_pkey, line 2 of the rows of accounts",
    ],
  ])("%s", (_what, name, lines, expected) => {
    expect(reportOf(name, lines, ["accounts"]).text).toBe(expected);
  });
});
