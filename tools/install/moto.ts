import { keepPythonProgram, type PythonProgram } from "./python-program.ts";

/** moto, in the release that everything here is tested with. */
export const moto: PythonProgram = {
  name: "moto_server",
  version: "5.2.5",
  purpose: "the stand-in for AWS of the tests",
  requirement: "moto[server]==5.2.5",
  start: "from moto.server import main; main()",
};

/** Brings moto, the stand-in for AWS of the tests, and gives the path of its server's executable. */
export function ensureMoto(say: (line: string) => void = console.error): Promise<string> {
  return keepPythonProgram(moto, say);
}
