import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { filesByTier, TIERS } from "./tools/tests/tiers.ts";

const files = filesByTier();

export default defineConfig({
  test: {
    projects: TIERS.map((tier) => ({
      extends: true,
      test: {
        name: tier,
        include: files[tier],
        // What starts nothing leaves nothing behind for the next file; a process for each took a third of the tier's time.
        isolate: tier !== "unit",
        setupFiles: tier === "unit" ? ["test/helpers/no-servers.ts"] : [],
      },
    })),
    // By default one processor is left for the person who watches. Most tests wait for something at times, so that one more keeps all busy.
    maxWorkers: availableParallelism() + 1,
    // Fails a file in which a secret is shown.
    setupFiles: ["test/recording/setup.ts"],
    reporters: ["default", "./test/closing-line.ts"],
    // A test works against real servers and real processes; a hang is cut off well after the slowest of them.
    testTimeout: 60_000,
    hookTimeout: 180_000,
    // Likewise for what is waited for with expect.poll.
    expect: { poll: { timeout: 20_000 } },
  },
});
