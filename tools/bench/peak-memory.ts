import { readFileSync, writeFileSync } from "node:fs";

/**
 * How many megabytes of 1,000,000 bytes this process has held at most so far. Not by getrusage, which counts what the process
 * was before it became this program: the bench, with all that runs in it.
 */
export function peakMegabytes(): number {
  const peakKiB = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
  return (peakKiB * 1024) / 1e6;
}

// Preloaded into the measured process, this says at its end how much memory it held at most.
const { BENCH_PEAK_FILE: file } = process.env;
if (file !== undefined) {
  process.on("exit", () => {
    writeFileSync(file, String(peakMegabytes()));
  });
}
