import type { Ended } from "../invocation.ts";
import { isGood, lastLines, newestVerdict, type Broken, type StoreState } from "./promises.ts";

/** What `verify` says of a backup that it has read. */
const VERIFIED = /^(\S+) in .*: verified: read in full$/gm;

/**
 * Whether `verify`, unfaulted, says of the backups what is true. With `--all` it reads all; without, the newest of each store that
 * is not known to be damaged, and a store without any ends it with 3.
 */
export function checkVerify({ args, code, stderr, stdout }: Ended, states: readonly StoreState[]): Broken[] {
  const stores = states.map(({ backups }) => backups.filter(({ hasManifest }) => hasManifest));
  const backups = stores.flat();
  if (backups.length === 0) return [];
  const good = backups.filter(isGood);
  const broken = (what: string): Broken[] => [
    { promise: "verify tells the truth", detail: `it ${what}: ${stdout.slice(0, 500)} ${lastLines(stderr)}` },
  ];
  const told = [...stdout.matchAll(VERIFIED)].map(([, id]) => id);
  const wrong = told.find((id) => count(told, id) > count(good, id));
  if (wrong !== undefined) return broken(`calls ${wrong} verified more often than it is good`);
  const all = good.length === backups.length;
  if (args.includes("--all")) {
    const due = all ? 0 : 5;
    return code === due ? [] : broken(`ended with ${String(code)} and not with ${due}`);
  }
  const due = [
    ...(told.length > 0 ? [0] : []),
    ...(stores.every((some) => some.some((each) => isGood(each) && newestVerdict(each) !== "damaged"))
      ? []
      : [1, 2, 3]),
    ...(all ? [] : [5]),
  ];
  return due.includes(code ?? -1) ? [] : broken(`ended with ${String(code)} and not with ${due.join(" or ")}`);
}

function count(ids: readonly (string | undefined | { readonly id: string })[], id: string | undefined): number {
  return ids.filter((each) => (typeof each === "object" ? each.id : each) === id).length;
}

/**
 * Whether `list --json`, unfaulted, names the backups that there are, and calls verified only what is.
 *
 * @param planted ids of folders of which others judge what it says
 */
export function checkList(
  { code, stdout, stderr }: Ended,
  states: readonly StoreState[],
  planted: ReadonlySet<string> = new Set(),
): Broken[] {
  const broken = (detail: string): Broken => ({ promise: "list tells the truth", detail });
  if (code !== 0) return [broken(`it ended with ${String(code)}: ${lastLines(stderr)}`)];
  const listed = JSON.parse(stdout) as { backups: { id: string; state: string }[] }[];
  return states.flatMap(({ backups }, index) => {
    const there = backups.filter(({ id, hasManifest }) => hasManifest && !planted.has(id));
    const told = (listed[index]?.backups ?? []).filter(({ id }) => !planted.has(id));
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
