import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { databaseProviders } from "../../providers/database/index.ts";
import { filesProviders } from "../../providers/files/index.ts";
import { monitorProviders } from "../../providers/monitor/index.ts";
import { storageProviders } from "../../providers/storage/index.ts";

const ROOT = join(import.meta.dirname, "../..");

const KINDS = [databaseProviders, storageProviders, filesProviders, monitorProviders].flatMap(Object.keys);

/** Lines that hold the name of one of AWS's services, which is also that of a kind: in an ARN, as KMS knows it, or in an endpoint. */
const SERVICES: Readonly<Record<string, RegExp>> = {
  "components/aws/settings/bucket.ts": /\bArn\("s3",/,
  "components/aws/backup-key.ts": /^const SERVICES = \[/,
  "components/aws/backup-bucket/replica.ts": /\bkeyStatements\(/,
  "components/aws/backup-copy-bucket.ts": /\bkeyStatements\(/,
  "components/aws/settings/network.ts": /^const ENDPOINTS = \[/,
  "components/aws/backup-network/endpoints.ts": /\bservices\b|\bserviceName\b|\bcommon\(/,
};

/** The lines of a file that hold the name of a kind in quotes. */
function linesWithKinds(file: string): string[] {
  const quoted = new RegExp(`(["'\`])(${KINDS.join("|")})\\1`);
  return readFileSync(join(ROOT, file), "utf8")
    .split("\n")
    .filter((line) => quoted.test(line) && !/^\s*(\/?\*|\/\/)/.test(line));
}

it("a new provider changes nothing outside its family: only the families name kinds", () => {
  const files = [...globSync("{runner,components}/**/*.{ts,js}", { cwd: ROOT }), "providers/config.ts"];
  expect(files.length).toBeGreaterThan(100);
  const named = files.flatMap((file) =>
    linesWithKinds(file)
      .filter((line) => SERVICES[file]?.test(line) !== true)
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(named).toEqual([]);
});

it("has no exception that nothing needs", () => {
  const unused = Object.entries(SERVICES).filter(
    ([file, service]) => !linesWithKinds(file).some((line) => service.test(line)),
  );
  expect(unused).toEqual([]);
});
