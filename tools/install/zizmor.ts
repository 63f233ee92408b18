import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { keepProgram, type ProgramVersion } from "./go-program.ts";
import { pipInstall } from "./pip.ts";

/** zizmor, in the release that the workflows are checked with. */
export const zizmor: ProgramVersion & { readonly purpose: string } = {
  name: "zizmor",
  version: "1.32.0",
  purpose: "which finds security faults in the workflows of GitHub",
};

/**
 * Brings zizmor, and gives the path of its executable: from the cache, or by Python's package installer within some ten seconds.
 *
 * @throws {Error} where there is no Python with pip; it says what to install
 */
export async function ensureZizmor(say: (line: string) => void = console.error): Promise<string> {
  const { name, version, purpose } = zizmor;
  const { directory } = await keepProgram({
    name,
    version,
    title: name,
    say,
    bring: async (root) => {
      say(`Installing ${name} ${version}, ${purpose}, once; this takes about ten seconds …`);
      const bin = join(root, "bin");
      await mkdir(bin, { recursive: true });
      const requirement = `${name}==${version}`;
      await pipInstall({ requirement, target: join(bin, "packages"), options: ["--no-deps"], what: purpose, say });
      await symlink(join("packages/bin", name), join(bin, name));
      return "pip" as const;
    },
  });
  return join(directory, name);
}
