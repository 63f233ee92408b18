import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shell } from "./programs.ts";

/** The ways in which a text can stand somewhere without being plain to see at once. */
function disguises(text: string): string[] {
  const bytes = Buffer.from(text);
  return [text, encodeURIComponent(text), bytes.toString("base64").replace(/=+$/, ""), bytes.toString("hex")];
}

/** Looks for secrets, and for a marker of rows, in what others can see. It names the place, and shows what stands around. */
export function leaksIn(places: ReadonlyMap<string, string>, words: readonly string[]): string[] {
  const found: string[] = [];
  for (const [place, text] of places) {
    for (const word of words) {
      const at = disguises(word)
        .map((each) => text.indexOf(each))
        .find((position) => position >= 0);
      if (at !== undefined) found.push(`${place}: …${text.slice(Math.max(0, at - 120), at + word.length + 60)}…`);
    }
  }
  return found;
}

/** The files of some folders that hold one of the words, in any disguise, whatever else is in them. */
export async function filesWith(folders: readonly string[], words: readonly string[]): Promise<string[]> {
  if (folders.length === 0 || words.length === 0) return [];
  const work = mkdtempSync("/tmp/faults-oracle-");
  try {
    const patterns = join(work, "patterns");
    writeFileSync(patterns, [...new Set(words.flatMap(disguises))].join("\n"));
    // grep ends with 1 where nothing was found.
    const { output } = await shell('grep -rlaFf "$1" -- "${@:2}" || [ $? -lt 2 ]', [patterns, ...folders]);
    return output.split("\n").filter((line) => line !== "");
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
