import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { keepProgram, type ProgramVersion } from "./go-program.ts";
import { pipInstall } from "./pip.ts";

/** moto, in the release that everything here is tested with. */
export const moto: ProgramVersion & { readonly purpose: string } = {
  name: "moto_server",
  version: "5.2.5",
  purpose: "the stand-in for AWS of the tests",
};

/** What starts it: the packages stand beside this file, so that the folder can be moved. */
const STARTER = `#!/bin/sh
PYTHONPATH="$(dirname "$0")/packages" exec python3 -c 'from moto.server import main; main()' "$@"
`;

/**
 * Brings moto, the stand-in for AWS of the tests, and gives the path of its server's executable: from the cache, or by
 * Python's package installer, which takes about half a minute and says so.
 *
 * @throws {Error} where there is no Python with pip; it says what to install
 */
export async function ensureMoto(say: (line: string) => void = console.error): Promise<string> {
  const { directory } = await keepProgram({
    ...moto,
    title: "moto",
    say,
    bring: async (root) => {
      say(`Installing moto ${moto.version}, ${moto.purpose}, once; this takes about half a minute …`);
      const bin = join(root, "bin");
      await mkdir(bin, { recursive: true });
      const requirement = `moto[server]==${moto.version}`;
      await pipInstall({ requirement, target: join(bin, "packages"), what: moto.purpose, say });
      const executable = join(bin, moto.name);
      await writeFile(executable, STARTER);
      await chmod(executable, 0o755);
      return "install";
    },
  });
  return join(directory, moto.name);
}
