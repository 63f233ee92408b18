import type { Reporter, TestModule } from "vitest/node";

/** Ends a run's output with one line that counts its tests, for whoever reads logs: `12 passed, 0 failed, 1 skipped`. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const count = { passed: 0, failed: 0, skipped: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state !== "pending") count[state] += 1;
      }
      // A module that cannot be loaded has no tests that could fail.
      count.failed += module.errors().length;
    }
    // After the other reporters' summaries.
    process.on("exit", () => {
      console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
    });
  }
}
