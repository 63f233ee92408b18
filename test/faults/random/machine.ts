import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { findOnPath } from "../../../tools/install/executables.ts";
import { faultNeeds } from "../../../tools/needs.ts";
import { ensureSystemPrograms } from "../../../tools/install/system-programs.ts";
import { ensureVersitygw } from "../../../tools/install/versitygw.ts";
import { FAULT_NAMES, type FaultName, type Missing, type StoreKind } from "./scenario.ts";
import { FAKETIME } from "./strike.ts";

/** Installs what the harness needs, where it may. @throws {Error} that says what to install, where it may not */
export async function prepareMachine(): Promise<void> {
  if (!existsSync("/proc/self/task")) throw new Error("The random faults need Linux: they watch processes in /proc.");
  await ensureSystemPrograms(faultNeeds, console.log);
}

/** What this machine cannot do; it says what is therefore not tried, and why. */
export async function missingHere(): Promise<Missing> {
  const stores: StoreKind[] = [];
  const faults: FaultName[] = [];
  const leaveOut = (what: readonly FaultName[], why: string) => {
    faults.push(...what);
    console.log(`Left out: ${what.join(", ")}. ${why}`);
  };
  try {
    await ensureVersitygw();
  } catch (error) {
    stores.push("s3");
    leaveOut(["store killed"], `There is no S3 server, so that no job has one: ${(error as Error).message}`);
  }
  if ((await findOnPath("faketime")) === undefined || !existsSync(FAKETIME)) {
    const clocks = FAULT_NAMES.filter((name) => name.startsWith("clock "));
    leaveOut(clocks, "There is no libfaketime; on Debian it is in the package faketime.");
  }
  if (!canMount())
    leaveOut(["disk full", "scratch full"], "A disk that can be filled is mounted, and only root may do that.");
  return { stores, faults };
}

function canMount(): boolean {
  const folder = mkdtempSync("/tmp/faults-disk-");
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "faults", folder], { stdio: "ignore" });
    execFileSync("umount", [folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
