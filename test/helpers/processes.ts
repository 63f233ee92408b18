import { existsSync, readdirSync, readFileSync } from "node:fs";

/** A process of this machine, as everybody on it can see it. */
export interface VisibleProcess {
  readonly pid: number;
  readonly parent: number;
  /** Its arguments, with blanks between them. */
  readonly command: string;
}

/** Whether the processes can be seen (Linux); where they cannot, prints what is therefore not tested. */
export function canSeeProcesses(otherwise: string): boolean {
  const can = existsSync("/proc/self/cmdline");
  if (!can) console.warn(`There is no /proc: ${otherwise}.`);
  return can;
}

/** The command lines of all processes of this machine, with blanks between the arguments. */
export function commandLines(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => commandLine(name));
}

/** All processes of this machine. */
export function processes(): VisibleProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const command = commandLine(name);
        // The name in parentheses may hold anything, parentheses too.
        const [, , parent] = readFileSync(`/proc/${name}/stat`, "utf8").replace(/^.*\)/s, "x").split(" ");
        return command === "" ? [] : [{ pid: Number(name), parent: Number(parent), command }];
      } catch {
        return []; // It has ended by now.
      }
    });
}

/** Empty for a thread of the kernel, and for a process that has ended by now. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}
