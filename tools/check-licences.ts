/** Ends with 1 where a package of a package-lock.json has a licence that is not allowed: `npm run check:licences`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { forbiddenLicences, type LockedPackage } from "./licences.ts";

const LOCKS = ["package-lock.json", "site/package-lock.json"];

const problems = LOCKS.flatMap((lock) => {
  const text = readFileSync(join(import.meta.dirname, "..", lock), "utf8");
  return forbiddenLicences((JSON.parse(text) as { packages: Readonly<Record<string, LockedPackage>> }).packages);
});
for (const problem of problems) console.error(problem);
if (problems.length > 0) {
  console.error("Fix: take another package, or allow it in tools/licences.ts with a reason.");
  process.exitCode = 1;
}
