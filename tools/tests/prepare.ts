import { ensureActionlint } from "../install/actionlint.ts";
import { ensureCheckov } from "../install/checkov.ts";
import { ensureMoto } from "../install/moto.ts";
import { testNeeds } from "../needs.ts";
import { ensurePostgresWheels } from "../install/postgres-wheels.ts";
import { ensurePulumi } from "../install/pulumi.ts";
import { ensurePulumiYaml } from "../install/pulumi-language-yaml.ts";
import { ensurePulumiPython } from "../install/pulumi-python.ts";
import { ensureSystemPrograms } from "../install/system-programs.ts";
import { ensureVersitygw } from "../install/versitygw.ts";
import { ensureZizmor } from "../install/zizmor.ts";
import type { Need } from "./needs.ts";

type Bring = (say: (line: string) => void) => Promise<unknown>;

/** What is kept in the cache. All else is a program of the machine's own. */
const BRING: readonly (readonly [Need, Bring])[] = [
  ["pulumi", ensurePulumi],
  ["pulumi-language-yaml", ensurePulumiYaml],
  ["pulumi-python", ensurePulumiPython],
  ["versitygw", ensureVersitygw],
  ["actionlint", ensureActionlint],
  ["zizmor", ensureZizmor],
  ["checkov", ensureCheckov],
  ["moto", ensureMoto],
  ["postgresWheels", ensurePostgresWheels],
];

/**
 * Brings what tests need, before their time limits count: where programs must be built, that takes minutes. What the machine
 * lacks is printed first and at once; what the cache has already is not brought again.
 *
 * @throws {Error} where something is missing and cannot be brought; it says what to install
 */
export async function prepare(needs: readonly Need[], say: (line: string) => void): Promise<void> {
  await ensureSystemPrograms(await testNeeds(needs), say);
  for (const [need, bring] of BRING) if (needs.includes(need)) await bring(say);
}
