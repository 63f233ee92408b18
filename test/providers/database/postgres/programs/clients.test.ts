import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chooseClients, findPrograms } from "../../../../../providers/database/postgres/programs/clients.ts";
import { ensurePostgres } from "../../../../../tools/postgres.ts";
import { commandLines } from "../../../../helpers/processes.ts";

describe("the client programs", () => {
  let folder: string;
  const path = process.env.PATH ?? "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "provision-clients-"));
  });
  afterEach(async () => {
    process.env.PATH = path;
    await rm(folder, { recursive: true });
  });
  const install = async (name: string, output: string): Promise<string> => {
    const directory = join(folder, name);
    await mkdir(directory);
    await writeFile(join(directory, "pg_dump"), `#!/bin/sh\necho "${output}"\n`);
    await chmod(join(directory, "pg_dump"), 0o755);
    return directory;
  };

  it("are those of the oldest version that is not older than the server", async () => {
    const old = await install("old", "pg_dump (PostgreSQL) 95.3");
    const newer = await install("newer", "pg_dump (PostgreSQL) 97.1 (Debian 97.1-1.pgdg120+1)");
    const newest = await install("newest", "pg_dump (PostgreSQL) 98beta2");
    await install("other", "pg_dump of something else");
    process.env.PATH = [newest, old, newer, join(folder, "other"), join(folder, "none"), path].join(":");
    expect(await chooseClients(95, "")).toEqual({ directory: old, version: "95.3", major: 95 });
    expect(await chooseClients(96, "")).toEqual({ directory: newer, version: "97.1", major: 97 });
    expect(await chooseClients(98, "")).toEqual({ directory: newest, version: "98beta2", major: 98 });
  });

  it("are looked for in the configured folder alone", async () => {
    const only = await install("only", "pg_dump (PostgreSQL) 99.1");
    expect(await chooseClients(15, "", only)).toEqual({ directory: only, version: "99.1", major: 99 });
    expect(await findPrograms("pg_dump", join(folder, "none"))).toEqual([]);
  });

  it("that are missing are named with the server's version, what there is and what to install", async () => {
    const only = await install("only", "pg_dump (PostgreSQL) 15.1");
    const choice = chooseClients(17, "the server is PostgreSQL 17.4", only);
    await expect(choice).rejects.toMatchObject({
      code: "CONFIG",
      message: expect.stringMatching(/17 or newer.*server is PostgreSQL 17\.4.*15\.1 in /) as string,
      fix: expect.stringContaining("postgresql-client-17") as string,
    });
  });

  it(
    "that do not answer are ended, though they are stopped, and named where no other fits",
    { timeout: 30_000 },
    async () => {
      const stopped = await install("stopped", "");
      await writeFile(join(stopped, "pg_dump"), "#!/bin/sh\nkill -STOP $$\n");
      const newest = await install("newest", "pg_dump (PostgreSQL) 99.1");
      process.env.PATH = [stopped, newest, path].join(":");
      const choices = [chooseClients(99, ""), chooseClients(100, "")];
      await expect(Promise.allSettled(choices)).resolves.toMatchObject([
        { status: "fulfilled", value: { directory: newest } },
        {
          status: "rejected",
          reason: { code: "TRANSIENT", message: `pg_dump in ${stopped} did not print its version within 10 s.` },
        },
      ]);
      expect(commandLines().filter((line) => line.includes(stopped))).toEqual([]);
    },
  );

  it("are of the newest minor release of the oldest major version that fits", async () => {
    const folders: string[] = [];
    for (const version of ["16.2", "15.18", "15.20"])
      folders.push(await install(version, `pg_dump (PostgreSQL) ${version}`));
    process.env.PATH = folders.join(":");
    const own = (await findPrograms("pg_dump")).filter(({ directory }) => folders.includes(directory));
    expect(own.map(({ version }) => version)).toEqual(["15.20", "15.18", "16.2"]);
  });

  it("are found where the system's packages put them, and not as Debian's wrapper", async () => {
    const { directory } = await ensurePostgres();
    process.env.PATH = "/usr/bin";
    const found = await findPrograms("pg_dump");
    expect(found.map((each) => each.directory)).toContain(directory);
    expect(new Set(found.map((each) => each.directory)).size).toBe(found.length);
  });
});
