import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { quote } from "../components/host/shell.ts";
import { findOnPath, isExecutable } from "./install/executables.ts";

/**
 * Makes sure that the engine can run policy packs of Node.js. The official CLI brings the language plugin that starts them; of its Go
 * module there is none to be had, so where the CLI was built, a script stands in: the engine asks for it by this name, and it starts
 * the same module of Pulumi's SDK that the plugin starts.
 *
 * @param cli the folder of the `pulumi` executable
 * @param directory where the script may be put
 * @returns the folder to put on PATH; undefined where the language plugin is there
 */
export async function policyAnalyzer(cli: string, directory: string): Promise<string | undefined> {
  const plugin = "pulumi-language-nodejs";
  if ((await isExecutable(join(cli, plugin))) || (await findOnPath(plugin)) !== undefined) return undefined;
  const folder = join(directory, "policy-analyzer");
  await mkdir(folder);
  const executable = join(folder, "pulumi-analyzer-policy-nodejs");
  const runner = createRequire(import.meta.url).resolve("@pulumi/pulumi/cmd/run-policy-pack");
  await writeFile(executable, `#!/bin/sh\nexec ${quote(process.execPath)} ${quote(runner)} "$@"\n`);
  await chmod(executable, 0o755);
  return folder;
}
