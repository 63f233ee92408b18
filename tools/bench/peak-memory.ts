import { writeFileSync } from "node:fs";
import { peakMemory } from "../peak-memory.ts";

// Preloaded into the measured process: says at its end how many megabytes of 1,000,000 bytes it held at most.
process.on("exit", () => {
  const file = process.env.BENCH_PEAK_FILE;
  if (file !== undefined) writeFileSync(file, String(peakMemory() / 1e6));
});
