import { describe, expect, it } from "vitest";
import type { DatabaseLocale } from "../../../../providers/database/database.ts";
import { createStatement, orderOf } from "../../../../providers/database/postgres/locale.ts";

const libc: DatabaseLocale = {
  ...{ name: "shop", encoding: "UTF8", collate: "de_DE.utf8", ctype: "de_DE.utf8", provider: "libc" },
  ...{ locale: null, rules: null, version: "2.36" },
};
const icu: DatabaseLocale = {
  ...libc,
  provider: "icu",
  locale: "de-u-ks-level2",
  rules: "&a < 'b'",
  version: "153.120",
};
const builtin: DatabaseLocale = { ...libc, collate: "C", ctype: "C", provider: "builtin", locale: "C.UTF-8" };
const common = `CREATE DATABASE "new" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'de_DE.utf8' LC_CTYPE 'de_DE.utf8'`;

describe("the statement that makes a database with a locale", () => {
  it.each<[string, DatabaseLocale, number, string]>([
    ["of libc on 14, which knows no providers", libc, 14, common],
    ["of libc on 15", libc, 15, `${common} LOCALE_PROVIDER 'libc'`],
    ["of ICU on 14, which cannot", icu, 14, common],
    ["of ICU on 15, which knows no rules", icu, 15, `${common} LOCALE_PROVIDER 'icu' ICU_LOCALE 'de-u-ks-level2'`],
    ["of ICU on 17", icu, 17, `${common} LOCALE_PROVIDER 'icu' ICU_LOCALE 'de-u-ks-level2' ICU_RULES '&a < ''b'''`],
    [
      "builtin on 17",
      builtin,
      17,
      `CREATE DATABASE "new" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER 'builtin' BUILTIN_LOCALE 'C.UTF-8'`,
    ],
  ])("is %s", (_, locale, major, expected) => {
    expect(createStatement('"new"', locale, major)).toBe(expected);
  });
});

it.each<[DatabaseLocale, DatabaseLocale, boolean]>([
  [libc, { ...libc, collate: "de_DE.UTF-8" }, true],
  [libc, { ...libc, collate: "sv_SE.utf8" }, false],
  [libc, icu, false],
  [icu, { ...icu, locale: "de_u_ks_level2" }, true],
  [icu, { ...icu, rules: null }, false],
  [builtin, { ...libc, collate: "C.UTF-8" }, true],
  [builtin, { ...libc, collate: "POSIX" }, true],
  [builtin, { ...libc, collate: "Cs_CZ.UTF-8" }, false],
])("two databases order text alike, or not: %o and %o", (one, other, alike) => {
  expect(orderOf(one) === orderOf(other)).toBe(alike);
});
