import { existsSync } from "node:fs";
import { actionlint } from "./install/actionlint.ts";
import { checkov } from "./install/checkov.ts";
import { findOnPath } from "./install/executables.ts";
import { go } from "./install/go.ts";
import { isKept, type ProgramVersion } from "./install/go-program.ts";
import { moto } from "./install/moto.ts";
import { pip } from "./install/pip.ts";
import { postgresServer } from "./postgres.ts";
import { postgresWheels } from "./install/postgres-wheels.ts";
import { pulumiYaml } from "./install/pulumi-language-yaml.ts";
import { pulumiPython } from "./install/pulumi-python.ts";
import { pulumiBuild } from "./install/pulumi.ts";
import { sshServer } from "./ssh-server.ts";
import type { SystemProgram } from "./install/system-programs.ts";
import { NEEDS, type Need } from "./tests/needs.ts";
import { versitygw } from "./install/versitygw.ts";
import { zizmor } from "./install/zizmor.ts";

/** The programs of the machine's own that the demo needs. Go is one only where something has to be built. */
export async function demoNeeds(): Promise<SystemProgram[]> {
  return [postgresServer, ...(await buildsFor([], true)), scheduler];
}

const without = "some tests are left out";

/** The same of tests that need certain things; pip is one only where something has to be installed with it. */
export async function testNeeds(needs: readonly Need[] = NEEDS): Promise<SystemProgram[]> {
  const builds = await buildsFor(
    [versitygw, actionlint, pulumiYaml].filter(({ name }) => needs.some((need) => need === name)),
    needs.includes("pulumi"),
  );
  const installs = await missing(
    [
      ...(needs.includes("moto") ? [moto] : []),
      ...[zizmor, checkov, pulumiPython].filter(({ name }) => needs.some((need) => need === name)),
      ...(needs.includes("postgresWheels") ? postgresWheels : []),
    ],
    ({ purpose }) => purpose,
  );
  const programs: readonly (readonly [Need, readonly SystemProgram[]])[] = [
    ["postgres", [postgresServer, onPath("openssl", "which makes the certificates of throwaway servers")]],
    ["ssh", [sshServer]],
    ["age", [{ ...onPath("age", "which restores a backup without this program"), without }]],
    ["zstd", [{ ...onPath("zstd", "which restores a backup without this program"), without }]],
    ["crontab", [{ ...crontab, without }]],
    ["faketime", [{ ...onPath("faketime", "which gives a program another clock"), without }]],
    ["chromium", [{ ...onPath("chromium", "which shows the report's page and the documentation's site"), without }]],
  ];
  return [
    ...builds,
    ...(installs.length === 0 ? [] : [pip(...installs)]),
    ...programs.flatMap(([need, own]) => (needs.includes(need) ? own : [])),
  ];
}

/** The same of the random faults (`npm run test:faults`). */
export const faultNeeds: readonly SystemProgram[] = [
  postgresServer,
  onPath("age", "which decrypts what a run has stored, to judge it"),
  onPath("zstd", "which decompresses what a run has stored, to judge it"),
  { ...onPath("faketime", "which makes clocks wrong"), without: "no clock is wrong" },
];

const crontab = onPath("crontab", "which schedules jobs where there is no systemd", "cron");

const scheduler: SystemProgram = {
  ...crontab,
  isThere: async () => existsSync("/run/systemd/system") || (await findOnPath("crontab")) !== undefined,
  without: "the demo runs its scheduled command as if it were scheduled",
};

type Kept = ProgramVersion & { readonly purpose: string };

/** Go, where one of some programs or the Pulumi CLI has to be built with it. */
async function buildsFor(programs: readonly Kept[], pulumi: boolean): Promise<SystemProgram[]> {
  const builds = await missing(programs, ({ name, purpose }) => `${name} (${purpose})`);
  const cli = pulumi ? await pulumiBuild() : undefined;
  if (cli !== undefined) builds.unshift(cli);
  return builds.length === 0 ? [] : [go(...builds)];
}

/** Those that the cache lacks, in words. */
async function missing(programs: readonly Kept[], say: (program: Kept) => string): Promise<string[]> {
  const kept = await Promise.all(programs.map((program) => isKept(program)));
  return programs.filter((_, index) => kept[index] === false).map(say);
}

function onPath(name: string, purpose: string, debianPackage = name): SystemProgram {
  return {
    what: `${name}, ${purpose}`,
    isThere: async () => (await findOnPath(name)) !== undefined,
    packages: [debianPackage],
    elsewhere: `Install it so that \`${name}\` is on PATH.`,
  };
}
