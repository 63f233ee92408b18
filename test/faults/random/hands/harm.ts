import { readFileSync } from "node:fs";
import { join } from "node:path";
import { filesBelow } from "../files-below.ts";
import type { Store } from "../servers/stores.ts";
import type { Workplace } from "../servers/workplace.ts";

/** What {@link harmNewest} did. */
export interface Harm {
  readonly hit: boolean;
  readonly what: string;
  /** What it was done to, as `store/backup`. */
  readonly harmed: readonly string[];
  readonly heal: () => Promise<void>;
}

/** Removes or damages something of the newest backup in one of the stores, as bit rot or a person does. */
export async function harmNewest(
  how: "object removed" | "object damaged" | "manifest damaged",
  place: Workplace,
  which: number,
  bytes: number,
): Promise<Harm> {
  const heal = () => Promise.resolve();
  const index = Math.floor(which * 7919) % place.stores.length;
  const store = place.stores[index];
  const { folder } = (await store?.export()) ?? { folder: "" };
  const job = join("faults", "app");
  const keys = filesBelow(join(folder, job)).filter((key) => /^\d{8}T\d{6}Z-[0-9a-f]{6}\//.test(key));
  const id = keys.at(-1)?.split("/")[0];
  const own = keys.filter((key) => key.startsWith(`${id ?? ""}/`));
  const chosen = own.filter(
    (key) => key.endsWith("manifest.json") === (how === "manifest damaged") && !/\/\w+-\d{8}T/.test(key),
  );
  const key = chosen[Math.floor(which * 104_729) % Math.max(1, chosen.length)];
  if (store === undefined || id === undefined || key === undefined) {
    return { hit: false, what: "there was nothing to harm", harmed: [], heal };
  }
  const done =
    how === "object removed" ? removed(store, `${job}/${key}`) : damaged(store, folder, `${job}/${key}`, bytes);
  return done
    ? { hit: true, what: `${how}: ${key} of destination ${index}`, harmed: [`${index}/${id}`], heal }
    : { hit: false, what: "it went just then", harmed: [], heal };
}

function removed(store: Store, key: string): boolean {
  try {
    store.replace(key, undefined);
    return true;
  } catch {
    return false;
  }
}

/** Turns a bit, cuts the end off, or appends, by the number of bytes. */
function damaged(store: Store, folder: string, key: string, bytes: number): boolean {
  try {
    const content = Buffer.from(readFileSync(join(folder, key)));
    if (content.length === 0 || bytes % 3 === 2) {
      store.replace(key, Buffer.concat([content, Buffer.from("\n")]));
    } else if (bytes % 3 === 1) {
      store.replace(key, content.subarray(0, bytes % content.length));
    } else {
      const at = bytes % content.length;
      content[at] = (content[at] ?? 0) ^ 1;
      store.replace(key, content);
    }
    return true;
  } catch {
    return false;
  }
}
