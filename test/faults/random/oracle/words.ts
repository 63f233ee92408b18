import { join } from "node:path";
import type { Ended } from "../invocation.ts";
import type { Workplace } from "../servers/workplace.ts";
import { filesWith, leaksIn } from "./leaks.ts";
import type { Broken, StoreState } from "./promises.ts";

/** Whether a secret or a row of the run was to be seen: in arguments, in output, by a monitor, in a file. */
export async function checkWords(
  place: Workplace,
  commands: readonly Ended[],
  states: readonly StoreState[],
): Promise<Broken[]> {
  const seen = new Map<string, string>();
  for (const [index, { args, stdout, stderr, tree }] of commands.entries()) {
    const name = `${index + 1}. ${args[0] ?? ""}`;
    seen.set(`the standard output of ${name}`, stdout);
    seen.set(`the standard error of ${name}`, stderr);
    seen.set(`arguments of ${name}`, [...tree.commands].join("\n"));
  }
  seen.set("what the monitor received", place.webhook.pings.map(({ body }) => body).join("\n"));
  const { marker } = place.world;
  const broken: Broken[] = [
    ...leaksIn(seen, place.secrets).map((detail) => ({ promise: "no secret is shown" as const, detail })),
    ...leaksIn(seen, [marker]).map((detail) => ({ promise: "no row is shown" as const, detail })),
  ];
  const stores = await Promise.all(place.stores.map(async (store) => (await store.export()).folder));
  const own = ["home", "tmp", "job.json"].map((name) => join(place.folder, name));
  for (const file of await filesWith([...own, ...stores], place.secrets)) {
    broken.push({ promise: "no secret is at rest in plain", detail: file });
  }
  // What is not encrypted has its rows in the archives, which may hold them as they read.
  const archives = new Set(
    place.shape.encrypted
      ? []
      : states.flatMap(({ backups }) =>
          backups.flatMap(({ folder, manifest }) => (manifest?.objects ?? []).map(({ file }) => join(folder, file))),
        ),
  );
  for (const file of await filesWith([...own, ...stores], [marker])) {
    if (archives.has(file) || (!place.shape.encrypted && file.includes("/faults/app/files/"))) continue;
    broken.push({ promise: "no row of an encrypted backup is at rest in plain", detail: file });
  }
  return broken;
}
