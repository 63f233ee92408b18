import { keepTestProgram, type TestProgram } from "./go-program.ts";

export const pulumiYaml: TestProgram = {
  name: "pulumi-language-yaml",
  purpose: "which runs Pulumi programs in YAML",
  version: "1.25.0",
  command: "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml",
  takes: "two minutes",
};

/** Brings what runs Pulumi programs in YAML, and gives the path of its executable. */
export function ensurePulumiYaml(say: (line: string) => void = console.error): Promise<string> {
  return keepTestProgram(pulumiYaml, say);
}
