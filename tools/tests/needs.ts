import type { Closure } from "./imports.ts";

/** What has to be prepared for tests before their time limits count. */
export const NEEDS = [
  "postgres",
  "postgresWheels",
  "pulumi",
  "pulumi-language-yaml",
  "pulumi-python",
  "versitygw",
  "moto",
  "actionlint",
  "zizmor",
  "checkov",
  "ssh",
  "age",
  "zstd",
  "crontab",
  "faketime",
  "chromium",
] as const;

/** One thing that a file of tests needs; see {@link NEEDS}. */
export type Need = (typeof NEEDS)[number];

/** The functions that bring or start something: a file that imports one, or whose helpers do, needs what it brings. */
const BROUGHT_BY: Readonly<Record<string, Need>> = {
  ensurePostgres: "postgres",
  startPostgres: "postgres",
  ensurePostgresWheel: "postgresWheels",
  ensurePulumi: "pulumi",
  ensurePulumiYaml: "pulumi-language-yaml",
  ensurePulumiPython: "pulumi-python",
  ensureVersitygw: "versitygw",
  ensureMoto: "moto",
  ensureActionlint: "actionlint",
  ensureZizmor: "zizmor",
  ensureCheckov: "checkov",
  ensureSshServer: "ssh",
};

/** A program that is asked for by its name, as the first argument. */
const ASKED_FOR = /\bensureProgram\("(\w+)"/g;

/** What a file of tests needs, by what it and its helpers import. */
export function needsOf({ names, text }: Closure): Need[] {
  const asked = [...text.matchAll(ASKED_FOR)].map(([, program]) => program);
  const brought = [...names].map((name) => BROUGHT_BY[name]);
  return NEEDS.filter((need) => asked.includes(need) || brought.includes(need));
}
