/** Writes what is generated in the documentation: `npm run docs`. Tests in `test/docs` say when it is out of date. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { generatedFiles } from "./docs/generated.ts";
import { ROOT } from "./tests/imports.ts";

for (const { path, text } of await generatedFiles()) writeFileSync(join(ROOT, path), text);
