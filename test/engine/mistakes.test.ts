import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeProblems } from "../../components/settings/rules.ts";
import {
  EngineError,
  secret,
  startEngine,
  type ConfigValue,
  type Engine,
  type EngineStack,
} from "../../tools/engine.ts";
import { awsMistakes } from "../helpers/aws-mistakes.ts";
import { MISTAKE_MARKER, mistakes, rightConfig } from "../helpers/mistakes.ts";

const program = fileURLToPath(new URL("../../index.ts", import.meta.url));

// Each costs a second, so it is every other one here; test/components/settings/settings.test.ts has them all. Another name of the
// stack needs another stack.
const chosen = [...mistakes, ...awsMistakes].filter(({ stack }, index) => index % 2 === 0 && stack === undefined);

describe("preview, on the real engine, with a configuration that is wrong", () => {
  let engine: Engine;
  let stack: EngineStack;

  beforeAll(async () => {
    engine = await startEngine();
    stack = await engine.stack({ program });
  });
  afterAll(async () => {
    await engine.stop();
  });

  it("is tried with at least 40 mistakes", () => {
    expect(chosen.length).toBeGreaterThanOrEqual(40);
  });

  it.each(chosen)("fails and says what to do: $name", async ({ change, plainSecrets, problems }) => {
    const { secrets, ...rest } = asWritten({ ...rightConfig, ...change }) as Record<string, ConfigValue>;
    const encrypted = plainSecrets === true ? secrets : encrypt(secrets);
    await stack.configure({ ...rest, ...(encrypted !== undefined && { secrets: encrypted }) });
    const error = await stack.preview().then(
      () => new Error("the preview went well"),
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(EngineError);
    const { output } = error as EngineError;
    const expected = describeProblems(
      "dev",
      problems.map((text) => {
        const [, path = "", message = "", fix = ""] = /^(\S+): (.*?)\n(.*)$/s.exec(text) ?? [];
        return { path, message, fix };
      }),
    );
    expect(unindented(output)).toContain(unindented(`error: ${expected}`));
    expect(output).not.toMatch(/^\s+at /m);
    expect(output).not.toContain(MISTAKE_MARKER);
  });
});

/** Without the fields that are undefined, as in a file. */
function asWritten(config: Readonly<Record<string, unknown>>): unknown {
  return JSON.parse(JSON.stringify(config));
}

/** Each text as a secret. */
function encrypt(value: ConfigValue | undefined): ConfigValue | undefined {
  if (typeof value === "string") return secret(value);
  if (typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, secret(String(text))]));
}

/** The CLI indents what a program says. */
function unindented(text: string): string {
  return text.replaceAll(/^\s+/gm, "");
}
