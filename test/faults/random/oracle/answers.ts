import type { Ended } from "../invocation.ts";
import { isGood, lastLines, newestVerdict, type Broken, type StoreState } from "./promises.ts";

/** Whether `verify`, unfaulted, says of the backups what is true: without `--all` a store must have one. */
export function checkVerify({ args, code, stderr, stdout }: Ended, states: readonly StoreState[]): Broken[] {
  const stores = states.map(({ backups }) => backups.filter(({ hasManifest }) => hasManifest));
  const backups = stores.flat();
  if (backups.length === 0) return [];
  const due = !backups.every(isGood) ? 5 : args.includes("--all") || stores.every(({ length }) => length > 0) ? 0 : 3;
  if (code === due) return [];
  const detail = `it ended with ${String(code)} and not with ${due}: ${stdout.slice(0, 500)} ${lastLines(stderr)}`;
  return [{ promise: "verify tells the truth", detail }];
}

/** Whether `list --json`, unfaulted, names the backups that there are, and calls verified only what is. */
export function checkList({ code, stdout, stderr }: Ended, states: readonly StoreState[]): Broken[] {
  const broken = (detail: string): Broken => ({ promise: "list tells the truth", detail });
  if (code !== 0) return [broken(`it ended with ${String(code)}: ${lastLines(stderr)}`)];
  const listed = JSON.parse(stdout) as { backups: { id: string; state: string }[] }[];
  return states.flatMap(({ backups }, index) => {
    const there = backups.filter(({ hasManifest }) => hasManifest);
    const told = listed[index]?.backups ?? [];
    const [ids, toldIds] = [there.map(({ id }) => id).sort(), told.map(({ id }) => id).sort()];
    if (ids.join() !== toldIds.join()) return [broken(`it lists ${toldIds.join(", ")}; there are ${ids.join(", ")}`)];
    return told.flatMap(({ id, state }) => {
      const backup = there.find((each) => each.id === id);
      const verdict = (backup && newestVerdict(backup)) ?? "unverified";
      // A listing may see by itself that a backup is damaged, before a record says so.
      if (state === "damaged" && backup !== undefined && !isGood(backup)) return [];
      return state === verdict ? [] : [broken(`it calls ${id} ${state}, whose records say ${verdict}`)];
    });
  });
}
