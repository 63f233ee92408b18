import { keepPythonProgram, type PythonProgram } from "./python-program.ts";

export const checkov: PythonProgram = {
  name: "checkov",
  version: "3.3.30",
  purpose: "which scans the resources of AWS",
  requirement: "checkov==3.3.30",
  start: 'import runpy; runpy.run_module("checkov.main", run_name="__main__")',
};

/** Brings Checkov, which scans the resources of AWS, and gives the path of its executable. */
export function ensureCheckov(say: (line: string) => void = console.error): Promise<string> {
  return keepPythonProgram(checkov, say);
}
