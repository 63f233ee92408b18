import { execFile } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { keepProgram } from "./go-program.ts";

const run = promisify(execFile);

/** The release of moto, the stand-in for AWS, that everything here is tested with. */
const VERSION = "5.2.5";

/** What starts it: the packages stand beside this file, so that the folder can be moved. */
const STARTER = `#!/bin/sh
PYTHONPATH="$(dirname "$0")/packages" exec python3 -c 'from moto.server import main; main()' "$@"
`;

/**
 * Brings moto, the stand-in for AWS of the tests, and gives the path of its server's executable: from the cache, or by
 * Python's package installer, which takes about half a minute and says so.
 *
 * @throws Error where there is no Python with pip; it says what to install.
 */
export async function ensureMoto(say: (line: string) => void = console.error): Promise<string> {
  const { directory } = await keepProgram({
    name: "moto_server",
    title: "moto",
    version: VERSION,
    say,
    bring: async (root) => {
      say(`Installing moto ${VERSION}, the stand-in for AWS of the tests, once …`);
      const bin = join(root, "bin");
      await mkdir(bin, { recursive: true });
      try {
        await run("python3", ["-m", "pip", "--version"]);
      } catch (error) {
        throw new Error(
          "The stand-in for AWS needs Python 3.9 or newer with pip. Install both (Debian: apt-get install python3-pip) so " +
            "that `python3 -m pip --version` works, then try again.",
          { cause: error },
        );
      }
      const target = ["--target", join(bin, "packages")];
      await run("python3", ["-m", "pip", "install", "--quiet", ...target, `moto[server]==${VERSION}`], {
        maxBuffer: 64 * 1024 * 1024,
      });
      const executable = join(bin, "moto_server");
      await writeFile(executable, STARTER);
      await chmod(executable, 0o755);
      return "install";
    },
  });
  return join(directory, "moto_server");
}
