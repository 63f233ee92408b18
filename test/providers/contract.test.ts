import { globSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import * as environment from "../../providers/environment.ts";
import * as layout from "../../providers/layout.ts";

/** Everything that ships: both halves, and what they share. */
const files = globSync(["index.ts", "{components,providers,runner}/**/*.ts"]);

/** The product's files that spell a text in code; a comment may name it. */
function spellers(text: string): string[] {
  return files.filter((file) =>
    readFileSync(file, "utf8")
      .replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "")
      .includes(text),
  );
}

it.each([
  "PROVISION_",
  environment.JOB_VARIABLE,
  environment.SCHEDULE_VARIABLE,
  environment.SECRETS_FILE_VARIABLE,
  environment.secretVariable(""),
])("%s is spelled in providers/environment.ts alone", (name) => {
  expect(spellers(name)).toEqual(["providers/environment.ts"]);
});

it.each([layout.MANIFEST, layout.FILE_INDEX.name, layout.DRILL.bad, `"${layout.COPIED}-`, `"${layout.ending(false)}`])(
  "%s is spelled in providers/layout.ts alone",
  (name) => {
    expect(spellers(name).filter((file) => file !== "providers/layout.ts")).toEqual([]);
  },
);

it.each([layout.VERIFICATION.good, layout.VERIFICATION.bad, layout.DRILL.good, layout.COPIED])(
  "no other file spells a record's name with %s",
  (outcome) => {
    expect(spellers(`${outcome}-`).filter((file) => file !== "providers/layout.ts")).toEqual([]);
  },
);

it("reads the schedule that it wrote, and the time of the record that it named", () => {
  const schedule = { cron: "0 3 * * 1", timezone: "America/Sao_Paulo" };
  expect(environment.readSchedule(environment.writeSchedule(schedule))).toEqual(schedule);
  const name = layout.recordName("verified", "20260102T030405Z");
  expect(layout.recordTime(name, "verified")).toBe("20260102T030405Z");
  expect(layout.recordTime(name, "damaged")).toBeUndefined();
});

it("gives names that the contents of files may have", () => {
  for (const encrypted of [false, true]) {
    expect(layout.contentObject("a".repeat(64), "0a1b2c", encrypted)).toMatch(layout.CONTENT_OBJECT);
  }
});
