import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { PulumiCommand } from "@pulumi/pulumi/automation/index.js";
import { SemVer, gte } from "semver";

import { findOnPath } from "./executables.ts";
import { goBuild, isKept, keepProgram } from "./go-program.ts";

const run = promisify(execFile);

/** The version of the Pulumi CLI that tools/install/pulumi/go.mod names and that everything here is tested with. */
const PULUMI_VERSION = "3.259.0";

/** How long the server of the official download has to answer before the CLI is built instead, in milliseconds. */
const DOWNLOAD_ANSWER_MS = 5_000;

/** How long the official download may take before the CLI is built instead, in milliseconds. */
const DOWNLOAD_MS = 180_000;

/** Where the official `pulumi` and its plugins are downloaded from. */
const DOWNLOAD_SERVER = "https://get.pulumi.com/";

/** What has to be built where the CLI is neither here nor can be downloaded, and the other way to get it. */
const WHAT =
  "the Pulumi CLI, since its download does not answer " +
  `(or install Pulumi ${PULUMI_VERSION} or newer: https://www.pulumi.com/docs/install/)`;

const PROGRAM = { name: "pulumi", version: PULUMI_VERSION };

/** A usable Pulumi CLI. */
interface PulumiCli {
  /** The folder that holds the `pulumi` executable; put it first on PATH. */
  readonly directory: string;
  /** How it was had: found on PATH, kept from an earlier run, downloaded, or built from its Go module. */
  readonly origin: "path" | "cache" | "download" | "build";
}

/**
 * Finds the Pulumi CLI, or else brings it: from PATH if it is {@link PULUMI_VERSION} or newer, from the cache, by the
 * official download, or by a build from `tools/install/pulumi` with Go. The last two print a line, as they take their time.
 *
 * Several processes may call this at the same time: one brings the CLI and the others wait for it.
 *
 * @throws {Error} where the download does not answer and there is no Go to build with; it says what to install
 */
export async function ensurePulumi(say: (line: string) => void = console.error): Promise<PulumiCli> {
  const onPath = await usableOnPath();
  if (onPath !== undefined) return { directory: dirname(onPath), origin: "path" };

  return keepProgram({
    ...PROGRAM,
    title: "the Pulumi CLI",
    say,
    bring: async (root) => {
      if (await download(root, say)) return "download";
      await build(join(root, "bin", "pulumi"), say);
      return "build";
    },
  });
}

/** What Go is needed for to have the CLI; undefined where it is here already or can be downloaded. */
export async function pulumiBuild(): Promise<string | undefined> {
  const isHere = (await usableOnPath()) !== undefined || (await isKept(PROGRAM));
  return isHere || (await downloadAnswers()) ? undefined : WHAT;
}

async function usableOnPath(): Promise<string | undefined> {
  const executable = await findOnPath("pulumi");
  return executable !== undefined && (await isUsable(executable)) ? executable : undefined;
}

/** Whether the server of the official downloads answers within {@link DOWNLOAD_ANSWER_MS}. */
export async function downloadAnswers(): Promise<boolean> {
  try {
    await fetch(DOWNLOAD_SERVER, { method: "HEAD", signal: AbortSignal.timeout(DOWNLOAD_ANSWER_MS) });
    return true;
  } catch {
    return false;
  }
}

async function isUsable(executable: string): Promise<boolean> {
  try {
    const { stdout } = await run(executable, ["version"]);
    return gte(stdout.trim(), PULUMI_VERSION);
  } catch {
    return false;
  }
}

/** Installs the official release below `root`; false if that was not possible. */
async function download(root: string, say: (line: string) => void): Promise<boolean> {
  if (!(await downloadAnswers())) return false;
  say(`Downloading the Pulumi CLI ${PULUMI_VERSION}, once; this takes about a minute …`);
  const gaveUp = new AbortController();
  try {
    const install = PulumiCommand.install({ root, version: new SemVer(PULUMI_VERSION) });
    const timeLimit = sleep(DOWNLOAD_MS, undefined, { signal: gaveUp.signal }).then(() => {
      throw new Error(`it took longer than ${DOWNLOAD_MS / 1000} s`);
    });
    await Promise.race([install, timeLimit]);
    return true;
  } catch (error) {
    say(`The download failed: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  } finally {
    gaveUp.abort();
  }
}

/** Builds the CLI from its Go module into the file `executable`. */
async function build(executable: string, say: (line: string) => void): Promise<void> {
  say(`Building the Pulumi CLI ${PULUMI_VERSION} from its Go module, once; this takes about four minutes …`);
  const versionVariable = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version";
  await goBuild({
    module: fileURLToPath(new URL("pulumi/", import.meta.url)),
    command: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    linkerFlags: `-s -w -X ${versionVariable}=v${PULUMI_VERSION}`,
    executable,
    what: WHAT,
    say,
  });
}
