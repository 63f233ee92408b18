import { readFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import { z } from "zod";
import { JobConfig } from "../../providers/config.ts";
import { ROOT } from "../tests/imports.ts";
import { configurationTables } from "./configuration.ts";
import { pictures } from "./pictures.ts";

/** A file that is generated, or has a part that is. */
export interface Generated {
  /** Path from the root. */
  readonly path: string;
  /** What it should hold. */
  readonly text: string;
}

/** All files of the documentation that follow from the code, and its pictures. */
export async function generatedFiles(): Promise<Generated[]> {
  return [
    await withRegion("docs/configuration.md", "configuration", configurationTables()),
    await formatted("docs/job.schema.json", JSON.stringify(z.toJSONSchema(JobConfig, { io: "input" }))),
    ...(await pictures()),
  ];
}

/**
 * A page with another text between the two marks of a generated part.
 *
 * @throws Error where the page lacks the marks.
 */
export function withRegion(path: string, name: string, text: string): Promise<Generated> {
  const marks = [`<!-- generated: ${name} -->`, `<!-- end: ${name} -->`] as const;
  const source = readFileSync(join(ROOT, path), "utf8");
  const [begin, end] = [source.indexOf(marks[0]), source.indexOf(marks[1])];
  if (begin < 0 || end < begin) throw new Error(`${path} has no ${marks[0]} … ${marks[1]}.`);
  return formatted(path, `${source.slice(0, begin)}${marks[0]}\n\n${text}\n\n${source.slice(end)}`);
}

/** A file's text as the whole project is formatted. */
async function formatted(path: string, text: string): Promise<Generated> {
  const filepath = join(ROOT, path);
  return { path, text: await format(text, { ...(await resolveConfig(filepath)), filepath }) };
}
