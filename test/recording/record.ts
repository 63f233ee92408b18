import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The variable that names the folder of the records. Without it nothing is recorded. */
const FOLDER = "PROVISION_RECORDING";

/** Where a secret would be seen by others. */
export type Place = "URL" | "argument" | "output" | "error";

/** What a process showed, and where. */
export type Shown = readonly [place: Place, text: string];

/** Records what this process shows to others. At once, for it may be killed. */
export function record(place: Place, text: string): void {
  const folder = process.env[FOLDER];
  if (folder === undefined) return;
  appendFileSync(join(folder, String(process.pid)), `${JSON.stringify([place, text] satisfies Shown)}\n`);
}

/** What a process has recorded. Of one that was killed while it wrote, the last record may be a part, which counts as output. */
export function readRecords(text: string): Shown[] {
  const lines = text.split("\n");
  const part = lines.pop() ?? "";
  return [...lines.map((line) => JSON.parse(line) as Shown), ...(part === "" ? [] : [["output", part] as const])];
}

/** From now on this process and those that get its environment record into a folder. */
export function recordInto(folder: string): void {
  process.env[FOLDER] = folder;
}

/** From now on this process records nothing, nor do those that get its environment. */
export function stopRecording(): void {
  Reflect.deleteProperty(process.env, FOLDER);
}

/** The environment with which a program of Node.js records what it shows as well. */
export function recorded(environment: Readonly<Record<string, string>>): Record<string, string> {
  const folder = process.env[FOLDER];
  if (folder === undefined) return { ...environment };
  const preload = `--import=${pathToFileURL(join(import.meta.dirname, "preload.ts")).href}`;
  const options = [environment.NODE_OPTIONS, preload].filter((option) => option !== undefined);
  return { ...environment, NODE_OPTIONS: options.join(" "), [FOLDER]: folder };
}
