import { keepTestProgram, type TestProgram } from "./go-program.ts";

export const versitygw: TestProgram = {
  name: "versitygw",
  purpose: "the S3 server of the tests",
  version: "1.8.0",
  command: "github.com/versity/versitygw/cmd/versitygw",
  takes: "three minutes",
};

/** Brings versitygw, the S3 server of the tests, and gives the path of its executable. */
export function ensureVersitygw(say: (line: string) => void = console.error): Promise<string> {
  return keepTestProgram(versitygw, say);
}
