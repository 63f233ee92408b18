import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { ensureSystemPrograms, type SystemProgram } from "./system-programs.ts";

const run = promisify(execFile);

/** Python with its package installer. `installs` says what it installs. */
export function pip(...installs: readonly string[]): SystemProgram {
  return {
    what: `Python 3.9 or newer with pip, which installs ${installs.join(", ")}`,
    isThere: () =>
      run("python3", ["-m", "pip", "--version"]).then(
        () => true,
        () => false,
      ),
    packages: ["python3-pip", "ca-certificates"],
    elsewhere: "Install both (https://www.python.org/downloads/) so that `python3 -m pip --version` works.",
  };
}

/** What {@link pipInstall} installs. */
interface PipInstall {
  /** As pip takes it: `moto[server]==5.2.5`. */
  readonly requirement: string;
  /** The folder that it is put into, with what it depends on; nothing of the machine's own Python changes. */
  readonly target: string;
  /** Options of pip beside these. */
  readonly options?: readonly string[];
  /** What is installed, for the message where there is no pip. */
  readonly what: string;
  /** Where lines for the user go. */
  readonly say: (line: string) => void;
}

/**
 * Installs a package from PyPI into a folder.
 *
 * @throws {Error} where there is no Python with pip and it cannot be installed, or where pip fails; it says what to do
 */
export async function pipInstall({ requirement, target, options = [], what, say }: PipInstall): Promise<void> {
  await ensureSystemPrograms([pip(what)], say);
  const quiet = ["--quiet", "--disable-pip-version-check", "--root-user-action=ignore"];
  const install = ["-m", "pip", "install", ...quiet, ...options, `--target=${target}`, requirement];
  await run("python3", install, { maxBuffer: 64 * 1024 * 1024 }).catch((error: unknown) => {
    throw new Error(
      `pip could not install ${requirement}, ${what}. It comes from PyPI, for Python 3.9 or newer on Linux with glibc, or macOS.`,
      { cause: error },
    );
  });
}
