import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { ROOT } from "../../tools/tests/imports.ts";

/** A fenced block of a page. */
export interface Snippet {
  /** `docs/restore.md:12`. */
  readonly at: string;
  readonly page: string;
  /** What stands behind the fence: `yaml`, `console` … */
  readonly language: string;
  readonly text: string;
  /** Why it is not run, as `<!-- not run: … -->` before it says. */
  readonly notRun: string | undefined;
}

/** A link of a page to another file of this project, or to a heading. */
export interface Link {
  readonly at: string;
  readonly target: string;
  /** Path of the file from the root. */
  readonly file: string;
  readonly anchor: string | undefined;
}

/** The pages that people read, by their paths from the root. */
export const PAGES = globSync(["*.md", "docs/*.md", "examples/*/*.md", ".github/*.md"], { cwd: ROOT }).sort();

const FENCE = /^(?:<!-- not run: (?<reason>[^>]+) -->\n+)?(?<indent> *)```(?<language>\w*)\n(?<text>[\s\S]*?)^ *```$/gm;

const read = (page: string) => readFileSync(join(ROOT, page), "utf8");

/** The fenced blocks of a page. */
export function snippetsOf(page: string): Snippet[] {
  const source = read(page);
  return [...source.matchAll(FENCE)].map((found) => {
    const { reason, indent = "", language = "", text = "" } = found.groups ?? {};
    const line = source.slice(0, found.index).split("\n").length;
    return {
      at: `${page}:${line}`,
      page,
      language,
      text: text.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
      notRun: reason?.trim(),
    };
  });
}

/** What a page has between single backticks, without its fenced blocks. */
export function inlineCodeOf(page: string): string[] {
  return [
    ...read(page)
      .replaceAll(FENCE, "")
      .matchAll(/`([^`\n]+)`/g),
  ].map(([, code = ""]) => code);
}

/** The links of a page that do not leave this project. */
export function linksOf(page: string): Link[] {
  const text = read(page).replaceAll(FENCE, "");
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = ""]) => {
    if (/^(https?|mailto):/.test(target)) return [];
    const [path = "", anchor] = target.split("#");
    const file = path === "" ? page : relative(ROOT, join(ROOT, dirname(page), path));
    return [{ at: page, target, file, anchor }];
  });
}

/** The anchors of a page, as GitHub makes them of its headings. */
export function anchorsOf(page: string): string[] {
  const seen = new Map<string, number>();
  return [
    ...read(page)
      .replaceAll(FENCE, "")
      .matchAll(/^#+ (.*)$/gm),
  ].map(([, heading = ""]) => {
    const anchor = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(/\s/g, "-");
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
}

/** The commands of a block: lines behind `$ ` in `console`, all lines in `sh`; without comments, continued lines as one. */
export function commandsOf({ language, text }: Pick<Snippet, "language" | "text">): string[] {
  const lines = text.replaceAll(/\\\n\s*/g, " ").split("\n");
  const own =
    language === "console" ? lines.filter((line) => line.startsWith("$ ")).map((line) => line.slice(2)) : lines;
  return own
    .map((line) => line.replace(/(^|\s)#\s.*$/, "").trim())
    .filter((line) => line !== "")
    .flatMap((line) => line.split(/ (?:&&|\|\|) /));
}

/** A command's words, as a shell parts them: quotes are taken off, variables stay as they are. */
export function wordsOf(command: string): string[] {
  const words = command.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  return words.map((word) => word.replaceAll(/"([^"]*)"|'([^']*)'/g, "$1$2"));
}
