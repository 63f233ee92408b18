import { readFileSync } from "node:fs";

/**
 * How many bytes of memory this process has held at most so far (Linux). Not by getrusage, which begins with what the process
 * was before it became this program: a part of the one that started it.
 */
export function peakMemory(): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;
}
