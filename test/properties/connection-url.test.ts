import fc from "fast-check";
import pg from "pg";
import { expect, it } from "vitest";
import { parseConnectionUrl } from "../../providers/database/postgres/connect/connection-url.ts";
import { ProviderError } from "../../providers/errors.ts";
import { useSeed } from "./seed.ts";

useSeed();

// NUL is no part of a name or a password anywhere in PostgreSQL.
const text = fc
  .string({ unit: "binary", minLength: 1, maxLength: 20 })
  .filter((value) => !value.includes("\0") && value.isWellFormed());
const host = fc.oneof(
  fc.domain(),
  fc.ipV4(),
  fc.ipV6().map((address) => `[${address}]`),
);
const port = fc.integer({ min: 1, max: 65_535 });

it("reads back what was encoded into a connection URL, as the pg package does", () => {
  fc.assert(
    fc.property(text, text, text, host, port, (user, password, database, name, number) => {
      const [u, p, d] = [user, password, database].map(encodeURIComponent);
      const url = `postgresql://${u}:${p}@${name}:${number}/${d}`;
      const parsed = parseConnectionUrl(url);
      const bare = name.replace(/^\[|\]$/g, "");
      expect(parsed).toMatchObject({ user, password, hosts: [{ host: bare, port: number }] });
      const other = new pg.Client(url);
      expect([parsed.user, parsed.password]).toEqual([other.user, other.password]);
      // What is no ASCII stands in the database's name as its bytes.
      if (/^[ -~]+$/.test(database)) expect(parsed.database).toBe(database);
    }),
  );
});

it("reads or refuses whatever it gets, and shows nothing of a password", () => {
  const password = fc.stringMatching(/^[a-z0-9]{12}$/).map((letters) => `pw-${letters}`);
  const around = fc.string({ unit: fc.constantFrom(...Array.from("@:/?#[]%&=,. ab1\n\u00e9")), maxLength: 12 });
  fc.assert(
    fc.property(password, around, around, around, (secret, before, after, behind) => {
      const url = `postgresql://user${before}:${after}${secret}${behind}@localhost:5432/app`;
      try {
        parseConnectionUrl(url);
      } catch (error) {
        expect(error).toBeInstanceOf(ProviderError);
        const { code, message, fix = "" } = error as ProviderError;
        expect(code).toBe("CONFIG");
        expect(message + fix).not.toContain(secret);
        expect(fix).not.toBe("");
      }
    }),
  );
});
