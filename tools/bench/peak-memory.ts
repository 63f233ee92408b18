import { writeFileSync } from "node:fs";

// Preloaded into the measured process: says at its end how much memory it held at most, in kilobytes.
process.on("exit", () => {
  const file = process.env.BENCH_PEAK_FILE;
  if (file !== undefined) writeFileSync(file, String(process.resourceUsage().maxRSS));
});
