import { readFileSync } from "node:fs";

/**
 * How many bytes of memory a process has held at most so far (Linux). Not by getrusage, which begins with what the process
 * was before it became this program: a part of the one that started it.
 *
 * @param id of a process that is running; default: this one
 */
export function peakMemory(id: number | "self" = "self"): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1]) * 1024;
}
