import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { Server } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { chooseTests } from "../../../tools/tests/choose.ts";
import { closureOf, ROOT } from "../../../tools/tests/imports.ts";
import { NEEDS, needsOf } from "../../../tools/tests/needs.ts";
import { filesByTier, tierOf } from "../../../tools/tests/tiers.ts";

const needs = (file: string) => needsOf(closureOf(file));
const projects = (...tiers: string[]) => tiers.flatMap((tier) => ["--project", tier]);

describe("the tiers of the tests", () => {
  it("have each file once, and leave none out", () => {
    const all = readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" });
    const files = all.filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`);
    expect(Object.values(filesByTier()).flat().sort()).toEqual(files.sort());
  });

  it.each([
    ["test/runner/backups/catalogue/retention.test.ts", "unit", []],
    // It serves in its own process, and what it starts is in a helper of a helper.
    ["test/services/sentry-ingest.test.ts", "rest", []],
    ["test/recording/recording.test.ts", "rest", []],
    // It names what it starts as a path.
    ["test/tools/bench/stores.test.ts", "rest", ["versitygw"]],
    ["test/tools/postgres.test.ts", "rest", ["postgres"]],
    ["test/providers/storage/filesystem/contract.test.ts", "main", []],
    ["test/runner/cli/cli.test.ts", "main", ["postgres", "age", "zstd"]],
    ["test/runner/cli/cli-usage.test.ts", "main", []],
    ["test/engine/host.test.ts", "main", ["pulumi", "crontab"]],
    ["test/engine/aws.test.ts", "rest", ["postgres", "pulumi", "moto"]],
    ["test/engine/remote-host.test.ts", "rest", ["postgres", "pulumi", "ssh"]],
    ["test/runner/stream/zstd.test.ts", "rest", ["zstd"]],
    ["test/workflows.test.ts", "rest", ["actionlint", "zizmor"]],
    ["test/services/supabase-database.test.ts", "rest", ["postgres", "postgresWheels"]],
  ] as const)("follow from what a file starts: %s is of %s and needs %j", (file, tier, needed) => {
    expect(tierOf(file)).toBe(tier);
    expect(needs(file)).toEqual(needed);
  });

  it("prepare nothing for the tier that starts nothing, and everything for all together", () => {
    const { unit, main, rest } = filesByTier();
    expect(unit.flatMap(needs)).toEqual([]);
    expect(new Set([...main, ...rest].flatMap(needs))).toEqual(new Set(NEEDS));
  });

  it("refuse a server in the tier that starts none, where the imports did not show it", () => {
    expect(() => new Server().listen(0)).toThrow(/tier `unit` starts no server/);
    for (const program of ["postgres", "/usr/lib/postgresql/15/bin/initdb", "pulumi"]) {
      expect(() => spawn(program, ["--version"])).toThrow(/tier `unit` starts no server/);
      expect(() => spawn("/bin/sh", ["-c", "true", program])).toThrow(/tier `unit` starts no server/);
    }
  });
});

describe("the tests to run", () => {
  it("are those without a server and the main paths", () => {
    const { files, arguments: given } = chooseTests([], ROOT);
    expect(given).toEqual(projects("unit", "main"));
    expect(files).toEqual([...filesByTier().unit, ...filesByTier().main]);
  });

  it.each([
    [["test/workflows.test.ts"], ROOT],
    [["./workflows.test.ts"], join(ROOT, "test")],
    [[join(ROOT, "test/workflows.test.ts:12")], "/"],
    [["workflows", "-t", "retention"], ROOT],
  ])("are the files that the arguments name, whatever their tier: %j", (given, directory) => {
    const { files, arguments: forVitest } = chooseTests(given, directory);
    expect(files).toEqual(["test/workflows.test.ts"]);
    expect(forVitest).toEqual([...projects("unit", "main", "rest"), ...given]);
  });

  it("are those of a tier, or all", () => {
    expect(chooseTests(["--rest", "--shard=1/2"], ROOT).arguments).toEqual([...projects("rest"), "--shard=1/2"]);
    expect(chooseTests(["--all", "-t", "name"], ROOT).arguments).toEqual([
      ...projects("unit", "main", "rest"),
      "-t",
      "name",
    ]);
    expect(chooseTests(["--rest", "cron"], ROOT).files).toEqual(["test/components/host/crontab.test.ts"]);
  });
});
