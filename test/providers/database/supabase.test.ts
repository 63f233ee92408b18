import dns from "node:dns/promises";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Check, DatabaseProvider } from "../../../providers/database/database.ts";
import { createDatabase } from "../../../providers/database/index.ts";
import { ProviderError } from "../../../providers/errors.ts";
import { type Postgres, startPostgres } from "../../../tools/postgres.ts";
import { describeDatabaseContract } from "../../contract/database.ts";
import { failureOf } from "../../helpers/failure.ts";
import { type NameService, startNameService } from "../../../tools/services/name-service.ts";

function open(url: string, rootCertificate?: string, tls?: "off"): Promise<DatabaseProvider> {
  const settings = rootCertificate === undefined ? {} : { rootCertificate };
  return createDatabase(
    {
      kind: "supabase",
      url: { env: "URL" },
      lockTimeoutSeconds: 30,
      vault: "leave-out",
      ...(tls && { tls }),
      ...settings,
    },
    { secrets: { url } },
  );
}

// A self-hosted Supabase: any host will do, as long as it proves itself.
describeDatabaseContract("supabase", (postgres, url) =>
  open(url.replace("@127.0.0.1:", "@localhost:"), postgres.rootCertificate),
);

async function refusal(url: string, rootCertificate?: string, tls?: "off"): Promise<ProviderError> {
  const error: unknown = await open(url, rootCertificate, tls).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ProviderError);
  return error as ProviderError;
}

describe("the rules of Supabase", () => {
  const host = "aws-0-sa-east-1.pooler.supabase.com";

  it("refuse the transaction pooler wherever its port stands, and say which to use", async () => {
    for (const url of [
      `postgresql://postgres.ref:pw@${host}:6543/postgres`,
      `postgresql://postgres.ref:pw@${host}:5432,${host}:6543/postgres`,
      `postgresql://postgres.ref:pw@/postgres?host=${host}&port=6543`,
    ]) {
      const error = await refusal(url, "/ca.crt");
      expect(error.code).toBe("CONFIG");
      expect(error.message).toContain("6543");
      expect(error.fix).toContain("pooler.supabase.com:5432");
    }
  });

  it.each(["disable", "allow", "prefer", "require", "verify-ca"])("refuse sslmode=%s", async (mode) => {
    const error = await refusal(`postgresql://postgres.ref:pw@${host}/postgres?sslmode=${mode}`, "/ca.crt");
    expect(error.code).toBe("CONFIG");
    expect(error.message).toContain(mode);
  });

  it("want the pooler to know the project", async () => {
    const error = await refusal(`postgresql://postgres:pw@${host}/postgres`, "/ca.crt");
    expect(error.code).toBe("CONFIG");
    expect(error.fix).toContain("postgres.<ref>");
  });

  it("ask for the root certificates, and say where they are", async () => {
    const error = await refusal(`postgresql://postgres.ref:pw@${host}/postgres`);
    expect(error.code).toBe("CONFIG");
    expect(error.fix).toContain("Project Settings > Database > SSL configuration");
    expect(error.fix).toContain("rootCertificate");
  });
});

describe("the rules of Supabase for a self-hosted server", () => {
  it("send nobody to the hosted dashboard", async () => {
    for (const url of [
      "postgresql://postgres:pw@10.0.0.5/postgres",
      "postgresql://postgres:pw@10.0.0.5:6543/postgres",
    ]) {
      const error = await refusal(url);
      expect(error.code).toBe("CONFIG");
      expect(`${error.message} ${error.fix ?? ""}`).not.toMatch(/dashboard|Supabase's\.|supabase\.co/);
    }
    expect((await refusal("postgresql://postgres:pw@10.0.0.5/postgres")).fix).toContain("`tls: off`");
    const { fix } = await refusal("postgresql://postgres:pw@10.0.0.5/postgres?sslmode=require", "/ca.crt");
    expect(fix).toContain("Remove sslmode from the connection URL");
    expect(fix).toContain("sslmode=disable");
    const both = await refusal("postgresql://postgres:pw@10.0.0.5/postgres?sslmode=disable&sslrootcert=/ca.crt");
    expect(both.message).toContain("sslmode=disable does not verify");
  });

  it("refuse tls: off for Supabase's own hosts unless the URL names certificates, and beside rootCertificate", async () => {
    const hosted = "postgresql://postgres:pw@db.abcdefghij.supabase.co/postgres";
    expect((await refusal(hosted, undefined, "off")).message).toContain("tls: off is not allowed");
    for (const name of ["db.abcdefghij.supabase.co", "db.abcdefghij.SUPABASE.CO", "db.abcdefghij.supabase.co."]) {
      const { message } = await refusal(`postgresql://postgres:pw@${name}/postgres?sslmode=disable`, "/ca.crt");
      expect(message, name).toContain("sslmode=disable does not verify");
    }
    await open(`${hosted}?sslrootcert=/ca.crt`, undefined, "off");
    expect((await refusal("postgresql://postgres:pw@10.0.0.5/postgres", "/ca.crt", "off")).message).toContain(
      "contradict",
    );
    expect((await refusal("postgresql://postgres:pw@10.0.0.5/postgres?sslmode=require", undefined, "off")).code).toBe(
      "CONFIG",
    );
  });

  it("connect to a server without TLS where tls is off, and say how where it is not", async () => {
    const plain = await startPostgres();
    try {
      const checks: Check[] = [];
      for await (const each of (await open(plain.url("postgres"), undefined, "off")).check(
        AbortSignal.timeout(20_000),
      )) {
        checks.push(each);
      }
      expect(checks.find(({ name }) => name === "connection")).toMatchObject({ ok: true });
      expect(checks.find(({ name }) => name === "root certificates")).toMatchObject({
        ok: true,
        detail: "none, because TLS is off",
      });
      const verified = await open(`${plain.url("postgres")}?sslrootcert=system`);
      const error = await failureOf(verified.identify(AbortSignal.timeout(20_000)));
      expect(error.fix).toContain("sslmode=disable in the connection URL");
      // As the fix says: beside a certificate, the URL alone turns no TLS off.
      const both = await refusal(`${plain.url("postgres")}?sslmode=disable`, "/ca.crt");
      expect(both.message).toContain("sslmode=disable and rootCertificate contradict each other");
      expect(both.fix).toContain("remove `rootCertificate` from the job");
      const without = await open(`${plain.url("postgres")}?sslmode=disable`);
      expect(await without.identify(AbortSignal.timeout(20_000))).toBeDefined();
    } finally {
      await plain.stop();
    }
  });
});

describe("a server that does not prove itself", () => {
  let server: Postgres;
  let folder: string;
  beforeAll(async () => {
    server = await startPostgres({ tls: true });
    folder = await mkdtemp(join(tmpdir(), "provision-supabase-"));
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  });
  const check = async (url: string, certificate: string, name: string): Promise<Check | undefined> => {
    const provider = await open(url, certificate);
    for await (const each of provider.check(AbortSignal.timeout(20_000))) if (each.name === name) return each;
    return undefined;
  };

  it("is refused for its name and for its authority", async () => {
    const other = await startPostgres({ tls: true });
    try {
      const root = server.rootCertificate ?? "";
      const localhost = server.url("postgres").replace("127.0.0.1", "localhost");
      expect(await check(localhost, root, "connection")).toMatchObject({ ok: true });
      expect(await check(server.url("postgres"), root, "connection")).toMatchObject({ ok: false });
      expect(await check(localhost, other.rootCertificate ?? "", "connection")).toMatchObject({ ok: false });
    } finally {
      await other.stop();
    }
  });

  it("is distinguished from Supabase's own by the roots' fingerprints", async () => {
    const url = "postgresql://postgres:pw@db.abcdefghij.supabase.co:1/postgres?connect_timeout=1";
    const found = await check(url, server.rootCertificate ?? "", "root certificates");
    expect(found).toMatchObject({ ok: false, detail: expect.stringContaining("2021 and the root of 2025") as string });
    const broken = join(folder, "broken.crt");
    await writeFile(broken, (await readFile(server.rootCertificate ?? "", "utf8")).replace("M", "?"));
    expect(await check(url, broken, "root certificates")).toMatchObject({ ok: false });
    expect(await check(url, join(folder, "none.crt"), "root certificates")).toMatchObject({
      ok: false,
      detail: expect.stringContaining("ENOENT") as string,
    });
    const self = await check(server.url("postgres"), server.rootCertificate ?? "", "root certificates");
    expect(self).toMatchObject({ ok: true });
  });

  describe("with a name service", () => {
    let names: NameService;
    const servers = dns.getServers();
    beforeAll(async () => {
      names = await startNameService({
        "db.onlysix.supabase.co": { AAAA: "2001:db8::5432" },
        "db.both.supabase.co": { A: "192.0.2.1", AAAA: "2001:db8::1" },
      });
      dns.setServers([names.address]);
    });
    afterAll(async () => {
      dns.setServers(servers);
      await names.stop();
    });
    const failing = async (project: string): Promise<ProviderError> => {
      const url = `postgresql://postgres:pw@db.${project}.supabase.co/postgres?connect_timeout=5`;
      const provider = await open(url, server.rootCertificate);
      return failureOf(provider.backup({ lock: "test", signal: AbortSignal.timeout(30_000) }));
    };

    it("is distinguished from one that has only an IPv6 address, and the session pooler is named", async () => {
      const { fix } = await failing("onlysix");
      expect(fix).toContain("only an IPv6 address (2001:db8::5432), which this machine does not reach");
      expect(fix).toContain("postgres.onlysix:<password>@aws-<n>-<region>.pooler.supabase.com:5432/postgres");
      const url = "postgresql://postgres:pw@db.onlysix.supabase.co/postgres?connect_timeout=5";
      const found = await check(url, server.rootCertificate ?? "", "connection");
      expect(found?.fix).toContain("2001:db8::5432");
    });

    it("is not blamed on IPv6 where there is an IPv4 address", async () => {
      expect((await failing("both")).fix).not.toContain("IPv6");
    });

    it("gets the general rule where the name service says nothing", async () => {
      expect((await failing("unheardof")).fix).toContain("has only an IPv6 address unless");
    });
  });
});
