import { performance } from "node:perf_hooks";
import { describe, expect, it } from "vitest";
import { asNoSuperuser } from "../../../../providers/database/supabase/restore-roles.ts";

describe("a role's attributes", () => {
  const attributes =
    "NOSUPERUSER NOINHERIT CREATEROLE NOCREATEDB LOGIN REPLICATION BYPASSRLS CONNECTION LIMIT 5 VALID UNTIL '2030-01-01 00:00:00+00'";

  it("are set in one statement, but for those that only a superuser may give", () => {
    const [plain, ...special] = asNoSuperuser(`ALTER ROLE "my WITH role" WITH ${attributes}`, ["my WITH role"]);
    expect(plain).toBe(
      `ALTER ROLE "my WITH role" WITH NOINHERIT CREATEROLE NOCREATEDB LOGIN CONNECTION LIMIT 5 VALID UNTIL '2030-01-01 00:00:00+00'`,
    );
    // A new role is without those that are taken away.
    expect(special).toHaveLength(2);
    expect(special[0]).toContain(`ALTER ROLE "my WITH role" WITH REPLICATION`);
    expect(special[1]).toContain(`ALTER ROLE "my WITH role" WITH BYPASSRLS`);
    expect(special.join("\n")).not.toContain("SUPERUSER");
  });

  it("are read in no time, however long and odd they are", () => {
    const long = `ALTER ROLE r WITH ${"NOINHERIT ".repeat(20_000)}CONNECTION LIMIT 5 VALID UNTIL 'it''s ${"A ".repeat(20_000)}'`;
    const setting = `ALTER ROLE r SET search_path TO '${" WITH A".repeat(20_000)}!'`;
    const started = performance.now();
    expect(asNoSuperuser(long, ["r"])).toEqual([long]);
    expect(asNoSuperuser(`${long} #`, ["r"])).toEqual([`${long} #`]);
    expect(asNoSuperuser(setting, ["r"])).toEqual([setting]);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
