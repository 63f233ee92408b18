import type { DatabaseLocale } from "../database.ts";
import { literal } from "./artifacts/sql-artifact.ts";
import type { ControlConnection } from "./connect/control-connection.ts";

/** Reads how the database of a connection compares text; by names of columns, of which each version has others. */
export function readLocale(control: ControlConnection): Promise<DatabaseLocale> {
  return control.one<DatabaseLocale>(
    `SELECT datname AS name, pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS ctype,
       CASE facts ->> 'datlocprovider' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END AS provider,
       coalesce(facts ->> 'datlocale', facts ->> 'daticulocale') AS locale, facts ->> 'daticurules' AS rules,
       facts ->> 'datcollversion' AS version
     FROM pg_database, to_json(pg_database) AS facts WHERE datname = current_database()`,
  );
}

/** PostgreSQL's first version that has a provider. */
const SINCE: Readonly<Record<string, number>> = { libc: 0, icu: 15, builtin: 17 };

/** The statement that makes an empty database with a locale, on a server that may be older than its provider. */
export function createStatement(quotedName: string, locale: DatabaseLocale, serverMajor: number): string {
  const provider = serverMajor >= (SINCE[locale.provider] ?? Infinity) ? locale.provider : "libc";
  const options = {
    ENCODING: locale.encoding,
    LC_COLLATE: locale.collate,
    LC_CTYPE: locale.ctype,
    LOCALE_PROVIDER: serverMajor >= 15 ? provider : null,
    ICU_LOCALE: provider === "icu" ? locale.locale : null,
    ICU_RULES: provider === "icu" && serverMajor >= 16 ? locale.rules : null,
    BUILTIN_LOCALE: provider === "builtin" ? locale.locale : null,
  };
  const given = Object.entries(options).map(([name, value]) => (value === null ? "" : ` ${name} ${literal(value)}`));
  return `CREATE DATABASE ${quotedName} TEMPLATE template0${given.join("")}`;
}

/** The order of text in a database, in words, which are the same for two that order alike. */
export function orderOf({ provider, collate, locale, rules }: DatabaseLocale): string {
  if (provider === "icu") {
    return `ICU's ${(locale ?? "").replaceAll("_", "-")}${rules === null ? "" : ` with the rules ${rules}`}`;
  }
  if (provider === "builtin" || /^(C|POSIX)(\.|$)/.test(collate)) return "code points (C)";
  return `the C library's ${collate.replace(/\.utf-?8$/i, ".UTF-8")}`;
}
