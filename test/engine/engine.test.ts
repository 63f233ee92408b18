import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { secret, startEngine, type Engine, type StackConfig } from "../../tools/engine.ts";

const program = fileURLToPath(new URL("greeting.ts", import.meta.url));

function configFor(greeting: string): StackConfig {
  return {
    greeting,
    people: { names: ["Ada", "Grace"] },
    wishes: [{ text: secret("all the best") }],
    "other:number": 7,
  };
}

describe("the engine", () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await startEngine({ say: () => undefined });
  });

  afterAll(async () => {
    await engine.stop();
    expect(existsSync(engine.directory)).toBe(false);
  });

  it("runs a module again for each operation, with structured and secret configuration", async () => {
    const stack = await engine.stack({ program, config: configFor("Hello") });
    const settings = await readFile(join(stack.directory, "Pulumi.dev.yaml"), "utf8");
    expect(settings).toMatch(/text:\n\s+secure: /);
    expect(settings).not.toContain("all the best");

    expect((await stack.up()).steps).toEqual([{ op: "create", type: "command:local:Command", name: "greet" }]);
    expect(await stack.outputs()).toEqual({ said: { value: "Hello Ada and Grace, all the best", secret: false } });
    await stack.configure(configFor("Goodbye"));
    const { steps, summary } = await stack.up();
    expect(steps).toEqual([{ op: "update", type: "command:local:Command", name: "greet" }]);
    expect(summary).toEqual({ same: 1, update: 1 });
    expect(await stack.outputs()).toMatchObject({ said: { value: "Goodbye Ada and Grace, all the best" } });
    expect((await stack.destroy()).summary).toEqual({ delete: 2 });
  });

  it("shows why a program failed, without a stack trace for a RunError", async () => {
    const stack = await engine.stack({ program, config: configFor("rude") });
    const failure = await stack.preview().then(
      () => undefined,
      (error: unknown) => error,
    );
    const message = failure instanceof Error ? failure.message : "";
    expect(message).toMatch(/^pulumi preview failed:\nDiagnostics:\n/);
    expect(message).toContain("error: provision:greeting must be polite\n");
    expect(message).not.toContain("greeting.ts");
  });
});
