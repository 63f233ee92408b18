import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runnerFiles } from "../../runner-files.ts";

/**
 * A tag that stands for what an image is built from: the Dockerfile, the files of this project that go into the image, the
 * lock file among them, and the build's own choices. It is the same on every machine, and another as soon as anything of it
 * changes.
 *
 * @param source this project's folder
 * @param choices whatever else decides what is built: the platform, the base image
 */
export function contentTag(source: string, choices: Readonly<Record<string, string>>): string {
  const own = ["Dockerfile", ".dockerignore"].map((name) => [name, readFileSync(join(source, name), "utf8")]);
  const content = JSON.stringify([own, Object.entries(runnerFiles(source)), Object.entries(choices).sort()]);
  return `content-${createHash("sha256").update(content).digest("hex").slice(0, 40)}`;
}
