import { execFile } from "node:child_process";
import { chmod, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gte } from "semver";
import { findOnPath, isExecutable } from "./executables.ts";
import { ensureSystemPrograms, type SystemProgram } from "./system-programs.ts";

const run = promisify(execFile);

/** The release that tools/<name>/go.mod ask for. */
const VERSION = "1.26.0";

const HOW_TO_INSTALL = `Install Go ${VERSION} or newer (https://go.dev/doc/install) so that \`go version\` works.`;

/** Go of any release, since an older one fetches the release that is needed. `builds` says what it builds. */
export function go(...builds: readonly string[]): SystemProgram {
  return {
    what: `Go, which builds ${builds.join("; ")}`,
    isThere: async () => (await findOnPath("go")) !== undefined,
    packages: ["golang-go", "ca-certificates"],
    elsewhere: HOW_TO_INSTALL,
  };
}

/**
 * The path of a `go` that is {@link VERSION} or newer: the one on PATH, or else the release that it fetches as a module, which Go
 * compares with its public list of checksums and keeps beside the other modules.
 *
 * @param builds what it builds, for the message where there is none
 * @throws {Error} where there is no Go and it cannot be installed, or the release cannot be had; it says what to install
 */
export async function ensureGo(builds: string, say: (line: string) => void): Promise<string> {
  await ensureSystemPrograms([go(builds)], say);
  const options = { cwd: tmpdir(), env: { ...process.env, GOTOOLCHAIN: "local" } };
  try {
    const { stdout } = await run("go", ["env", "GOVERSION", "GOOS", "GOARCH"], options);
    const [installed = "", system = "", processor = ""] = stdout.trim().split("\n");
    if (isNewEnough(installed)) return "go";
    say(`Fetching Go ${VERSION} with ${installed}, once …`);
    const release = `golang.org/toolchain@v0.0.1-go${VERSION}.${system}-${processor}`;
    const { stdout: fetched } = await run("go", ["mod", "download", "-json", release], options);
    const { Dir: root } = JSON.parse(fetched) as { Dir: string };
    await makeExecutable(root);
    return join(root, "bin", "go");
  } catch (error) {
    throw new Error(`The Go of this machine neither is ${VERSION} nor can fetch it. ${HOW_TO_INSTALL}`, {
      cause: error,
    });
  }
}

/** Whether what `go env GOVERSION` says, such as `go1.27rc1 X:nocoverageredesign`, is {@link VERSION} or newer. */
function isNewEnough(installed: string): boolean {
  const [, major, minor, patch = "0"] = /^go(\d+)\.(\d+)(?:\.(\d+))?/.exec(installed) ?? [];
  return major !== undefined && minor !== undefined && gte(`${major}.${minor}.${patch}`, VERSION);
}

/** A module's files are not executable; Go itself does this when it fetches a release that it changes to. */
async function makeExecutable(root: string): Promise<void> {
  if (await isExecutable(join(root, "bin", "go"))) return;
  const tools = join(root, "pkg", "tool");
  const folders = [join(root, "bin"), ...(await readdir(tools)).map((name) => join(tools, name))].reverse();
  for (const folder of folders) {
    for (const name of await readdir(folder)) await chmod(join(folder, name), 0o755);
  }
}
