import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import { MARK, ProcessTree } from "./process-tree.ts";

/** How a command of the runner ended. */
export interface Ended {
  readonly args: readonly string[];
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
  /** It did not end within its time, and was killed by the harness. */
  readonly hung: boolean;
  /** What it did when it was killed for that: its processes. */
  readonly stuck: string;
  readonly tree: ProcessTree;
}

/** A command of the runner that is going on. */
export interface Invocation {
  readonly child: ChildProcess;
  readonly tree: ProcessTree;
  readonly ended: Promise<Ended>;
  /** What it has said on its standard error so far. */
  said(): string;
}

/**
 * Starts the runner and watches it.
 *
 * @param limitMs after which it counts as hanging, and is killed with all that it has started
 */
export function invoke(
  runner: readonly string[],
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  limitMs: number,
): Invocation {
  const [program = "", ...first] = runner;
  const begun = performance.now();
  const mark = randomUUID();
  const child = spawn(program, [...first, ...args], {
    env: { ...env, [MARK]: mark },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr, stuck] = ["", "", ""];
  let hung = false;
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const tree = new ProcessTree(child.pid ?? 0, mark);
  const timer = setTimeout(() => {
    hung = true;
    const all = [...tree.living()];
    stuck = all.map(({ pid, command }) => `${pid} ${command}`).join("\n");
    for (const pid of [child.pid ?? 0, ...all.map((each) => each.pid)]) killNow(pid);
  }, limitMs);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    // What it has started may hold its pipes: that it has ended counts, and what it has said until then.
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      const finish = () => {
        tree.lookEverywhere();
        tree.look();
        tree.stop();
        const seconds = (performance.now() - begun) / 1000;
        resolve({ args, code, signal, stdout, stderr, seconds, hung, stuck, tree });
      };
      const late = setTimeout(finish, 1_000);
      child.once("close", () => {
        clearTimeout(late);
        finish();
      });
    });
  });
  return { child, tree, ended, said: () => stderr };
}

function killNow(pid: number): void {
  try {
    if (pid > 0) process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
