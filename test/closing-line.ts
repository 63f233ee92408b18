import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

/** The variable that names a file for the counts of several runs, so that the last one's line counts all of them. */
const COUNTS = "PROVISION_TEST_COUNTS";

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/** Ends a run's output with one line that counts its tests, for people who read logs: `12 passed, 0 failed, 1 skipped`. */
export default class ClosingLine implements Reporter {
  readonly #file = process.env[COUNTS];

  constructor() {
    // A test that runs Vitest itself must not count towards this run.
    Reflect.deleteProperty(process.env, COUNTS);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = earlier(this.#file);
    const repeated: string[] = [];
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state !== "pending") count[state] += 1;
        if (test.diagnostic()?.flaky === true) repeated.push(`${module.relativeModuleId} > ${test.fullName}`);
      }
      // A module that cannot be loaded has no tests that could fail.
      count.failed += module.errors().length;
    }
    // Of no test in particular, but the run has failed.
    count.failed += unhandledErrors.length;
    if (this.#file !== undefined) writeFileSync(this.#file, JSON.stringify(count));
    // After the other reporters' summaries.
    process.on("exit", () => {
      for (const name of repeated) console.log(`Failed at first, and passed when it was repeated: ${name}`);
      console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
    });
  }
}

/** What the runs before this one have counted. */
function earlier(file: string | undefined): Count {
  if (file === undefined || !existsSync(file)) return { passed: 0, failed: 0, skipped: 0 };
  return JSON.parse(readFileSync(file, "utf8")) as Count;
}
