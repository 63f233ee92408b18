import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { keepProgram, type ProgramVersion } from "./go-program.ts";
import { pipInstall } from "./pip.ts";

/** A program of PyPI that only tests use. */
export interface PythonProgram extends ProgramVersion {
  /** What it is for, to be read after its name: `the stand-in for AWS of the tests`. */
  readonly purpose: string;
  /** What pip installs. */
  readonly requirement: string;
  /** The Python that starts it. */
  readonly start: string;
}

/**
 * Brings a program of PyPI, and gives the path of its executable: from the cache, or by Python's package installer, which takes about
 * half a minute and says so. Its packages stand beside the executable, so that the folder can be moved.
 *
 * @throws {Error} where there is no Python with pip; it says what to install
 */
export async function keepPythonProgram(program: PythonProgram, say: (line: string) => void): Promise<string> {
  const { name, version, purpose, requirement, start } = program;
  const { directory } = await keepProgram({
    name,
    version,
    title: name,
    say,
    bring: async (root) => {
      say(`Installing ${requirement}, ${purpose}, once; this takes about half a minute …`);
      const bin = join(root, "bin");
      await mkdir(bin, { recursive: true });
      await pipInstall({ requirement, target: join(bin, "packages"), what: purpose, say });
      const executable = join(bin, name);
      const packages = 'PYTHONPATH="$(dirname "$0")/packages"';
      await writeFile(executable, `#!/bin/sh\n${packages} exec python3 -c '${start}' "$@"\n`);
      await chmod(executable, 0o755);
      return "pip" as const;
    },
  });
  return join(directory, name);
}
