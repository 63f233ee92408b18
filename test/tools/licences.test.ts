import { expect, it } from "vitest";
import { forbiddenLicences } from "../../tools/licences.ts";

const of = (license: string | undefined, more: object = {}) =>
  forbiddenLicences({
    "": {},
    "node_modules/a/node_modules/@b/c": { ...(license !== undefined && { license }), ...more },
  });

it.each(["MIT", "Apache-2.0", "(BSD-3-Clause AND Apache-2.0)", "(GPL-3.0-only OR MIT)"])("allows %s", (license) => {
  expect(of(license)).toEqual([]);
});

it.each(["GPL-3.0-only", "AGPL-3.0-or-later", "(MIT AND GPL-2.0-only)", "UNLICENSED", "SEE LICENSE IN LICENSE"])(
  "refuses %s in what is distributed",
  (license) => {
    expect(of(license)).toEqual([`@b/c has the licence ${license}, and is part of what is distributed.`]);
  },
);

it("refuses a package that names no licence", () => {
  expect(of(undefined, { dev: true })).toEqual(["@b/c has the licence (none is named)."]);
});

it("allows more for development alone", () => {
  expect(of("AGPL-3.0-or-later", { dev: true })).toEqual([]);
  expect(of("GPL-3.0-only", { dev: true })).toHaveLength(1);
});
