import { spawn } from "node:child_process";
import { peakMemory } from "../peak-memory.ts";

/** How often the memory is looked at, in milliseconds: what it grows by in the last of them is missed. */
const LOOK_MS = 20;

/** What a program took. */
export interface Cost {
  readonly seconds: number;
  /** The most memory that it held; NaN where that was not asked for. */
  readonly megabytes: number;
}

/**
 * Runs a program to its end. Its memory is looked at from outside: a module that is loaded into it to tell takes 35 to 50 ms,
 * a tenth of a run on an empty database.
 *
 * @param memory whether the memory is looked at: that of the program itself, without its children
 * @throws Error where it does not end with 0.
 */
export async function runMeasured(
  name: string,
  [program = "", ...args]: readonly string[],
  { env, memory }: { readonly env: NodeJS.ProcessEnv; readonly memory: boolean },
): Promise<Cost> {
  const begun = performance.now();
  const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "inherit"] });
  let peak = NaN;
  const look = () => {
    try {
      // A program that ends holds less and less, and says nothing of it in the end.
      const now = peakMemory(child.pid);
      if (now > (peak || 0)) peak = now;
    } catch {
      // It is gone.
    }
  };
  const timer = memory ? setInterval(look, LOOK_MS) : undefined;
  try {
    const code = await new Promise((resolve, reject) => child.on("error", reject).on("close", resolve));
    if (code !== 0) throw new Error(`${name} ended with ${String(code)}.`);
    return { seconds: (performance.now() - begun) / 1000, megabytes: peak / 1e6 };
  } finally {
    clearInterval(timer);
  }
}
