import { keepTestProgram } from "./go-program.ts";

/** Brings versitygw, the S3 server of the tests, and gives the path of its executable. */
export function ensureVersitygw(say: (line: string) => void = console.error): Promise<string> {
  return keepTestProgram({
    name: "versitygw",
    purpose: "the S3 server of the tests",
    version: "1.8.0",
    command: "github.com/versity/versitygw/cmd/versitygw",
    takes: "three minutes",
    say,
  });
}
