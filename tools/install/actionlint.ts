import { keepTestProgram, type TestProgram } from "./go-program.ts";

export const actionlint: TestProgram = {
  name: "actionlint",
  purpose: "which checks the workflows of GitHub",
  version: "1.7.12",
  command: "github.com/rhysd/actionlint/cmd/actionlint",
  takes: "half a minute",
};

/** Brings actionlint, which checks the workflows of GitHub, and gives the path of its executable. */
export function ensureActionlint(say: (line: string) => void = console.error): Promise<string> {
  return keepTestProgram(actionlint, say);
}
