import type { Problem } from "../../providers/config.ts";

/** All problems of a stack's configuration as one message for people. */
export function describeProblems(stack: string, problems: readonly Problem[]): string {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const list = problems.map(({ path, message, fix }, index) => {
    return `${index + 1}. ${path}: ${message}\n${fix.replaceAll(/^/gm, "   ")}`;
  });
  return [`The configuration of the stack ${stack} has ${count}:`, ...list].join("\n\n");
}
