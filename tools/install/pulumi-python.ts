import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { keepProgram, type ProgramVersion } from "./go-program.ts";
import { pipInstall } from "./pip.ts";

/** Pulumi's SDK for Python, in the release that everything here is tested with. */
export const pulumiPython: ProgramVersion & { readonly purpose: string } = {
  name: "pulumi-python",
  version: "3.259.0",
  purpose: "Pulumi's SDK for the Python program of the tests",
};

/** Starts Python with the SDK, whose packages stand beside this file. */
const STARTER = `#!/bin/sh
PYTHONPATH="$(dirname "$0")/packages" exec python3 "$@"
`;

/** Brings Python with Pulumi's SDK, from PyPI, and gives the path of the executable. */
export async function ensurePulumiPython(say: (line: string) => void = console.error): Promise<string> {
  const { name, version, purpose } = pulumiPython;
  const { directory } = await keepProgram({
    ...pulumiPython,
    title: purpose,
    say,
    bring: async (root) => {
      const bin = join(root, "bin");
      await mkdir(bin, { recursive: true });
      await pipInstall({ requirement: `pulumi==${version}`, target: join(bin, "packages"), what: purpose, say });
      const executable = join(bin, name);
      await writeFile(executable, STARTER);
      await chmod(executable, 0o755);
      return "install";
    },
  });
  return join(directory, name);
}
