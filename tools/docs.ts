/**
 * Writes what is generated in the documentation: `npm run docs`, with `-- --demo` what the demo prints as well. Tests in `test/docs`
 * say when it is out of date.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { recordDemo } from "./docs/demo.ts";
import { generatedFiles, withRegion } from "./docs/generated.ts";
import { ROOT } from "./tests/imports.ts";

const { values } = parseArgs({ options: { demo: { type: "boolean", default: false } } });
const files = await generatedFiles();
if (values.demo) files.push(await withRegion("README.md", "demo", await recordDemo()));
for (const { path, text } of files) writeFileSync(join(ROOT, path), text);
