/** What is used of a package in package-lock.json. */
export interface LockedPackage {
  /** As the package names it: an expression of SPDX, or a text. */
  readonly license?: string;
  /** Only for development: it is in neither the package nor the image. */
  readonly dev?: boolean;
  /** Another place of this project, and no package of others. */
  readonly link?: boolean;
}

/** Licences that allow use, change and distribution, and demand no more than a notice. */
const ALLOWED = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC-BY-3.0",
  "CC0-1.0",
  "ISC",
  "MIT",
  "Python-2.0",
  "Unlicense",
]);

/** Further licences of what is only used for development, and never distributed. */
const FOR_DEVELOPMENT = new Set(["AGPL-3.0-or-later", "MPL-2.0"]);

/** Packages that are allowed by their name, with the reason. */
const BY_NAME: Readonly<Record<string, string>> = {
  "@logdna/tail-file": "development only, of Pulumi's SDK; its LICENSE is MIT's text",
  buildcheck: "development only, optional; its LICENSE is MIT's text, which package.json does not name",
  "cpu-features": "development only, optional; its LICENSE is MIT's text, which package.json does not name",
  ssh2: "development only; its LICENSE is MIT's text, which package.json does not name",
  sentry:
    "Sentry's command line, which its SDK's plugins for bundlers need and a run never starts; FSL-1.1 forbids only to compete",
};

/** The packages whose licence is not allowed, one sentence each. */
export function forbiddenLicences(packages: Readonly<Record<string, LockedPackage>>): string[] {
  return Object.entries(packages).flatMap(([path, { license, dev = false, link = false }]) => {
    const name = path.split("node_modules/").at(-1) ?? "";
    if (path === "" || link || Object.hasOwn(BY_NAME, name)) return [];
    const isAllowed = (each: string) => ALLOWED.has(each) || (dev && FOR_DEVELOPMENT.has(each));
    return license !== undefined && holds(license, isAllowed)
      ? []
      : [
          `${name} has the licence ${license ?? "(none is named)"}${dev ? "" : ", and is part of what is distributed"}.`,
        ];
  });
}

/** Whether an expression such as `(MIT OR GPL-3.0)` lets us choose allowed licences alone. */
function holds(expression: string, isAllowed: (licence: string) => boolean): boolean {
  const choices = expression.replaceAll(/[()]/g, "").split(" OR ");
  return choices.some((choice) => choice.split(" AND ").every((each) => isAllowed(each.trim())));
}
