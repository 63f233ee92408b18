/**
 * Loaded before each file of tests: records what the tests and the programs that they start show to others, and fails the
 * file if a secret that a local service knows is in it.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { format } from "node:util";
import { afterAll } from "vitest";
import { findLeaks } from "./find-leaks.ts";
import { readRecords, record, recordInto, stopRecording } from "./record.ts";
import { registeredSecrets } from "../../tools/services/known-secrets.ts";

const folder = mkdtempSync(join(tmpdir(), "provision-recording-"));
recordInto(folder);
await import("./preload.ts");

// The console of a test is not its standard output.
for (const level of ["debug", "info", "log", "warn", "error"] as const) {
  const print = console[level].bind(console);
  console[level] = (...args: unknown[]) => {
    record("output", format(...args));
    print(...args);
  };
}

afterAll(() => {
  // A request that was given up may still come as late as now.
  stopRecording();
  const shown = readdirSync(folder).flatMap((name) => readRecords(readFileSync(join(folder, name), "utf8")));
  rmSync(folder, { recursive: true });
  const leaks = findLeaks(shown, registeredSecrets());
  if (leaks.length > 0) throw new Error(`Secrets were shown:\n${leaks.join("\n")}`);
});
