/** Ends with 1 where a package of package-lock.json has a licence that is not allowed: `npm run check:licences`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { forbiddenLicences, type LockedPackage } from "./licences.ts";

const lock = JSON.parse(readFileSync(join(import.meta.dirname, "../package-lock.json"), "utf8")) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};
const problems = forbiddenLicences(lock.packages);
for (const problem of problems) console.error(problem);
if (problems.length > 0) {
  console.error("Fix: take another package, or allow it in tools/licences.ts with a reason.");
  process.exitCode = 1;
}
