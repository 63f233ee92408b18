import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { SecretRef } from "../../../providers/fields/secret-ref.ts";
import { secretVariable } from "../../../providers/environment.ts";
import { resolveSecret } from "../../../runner/run/secrets.ts";
import { TemporaryFolder } from "../../helpers/script.ts";

const folder = new TemporaryFolder();
afterAll(() => {
  folder.remove();
});

function file(name: string, content: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

const resolve = (ref: SecretRef, environment: NodeJS.ProcessEnv = {}) =>
  resolveSecret(ref, "database.url", environment);

describe("a secret is found", () => {
  it("in the environment", async () => {
    expect(await resolve({ env: "APP_URL" }, { APP_URL: " as it is\n" })).toBe(" as it is\n");
  });

  it.each([
    ["as it is", "p ass", "p ass"],
    ["without its last newline", "pass\n", "pass"],
    ["without its last newline of Windows", "pass\r\n", "pass"],
    ["with all newlines but the last", "line 1\nline 2\n\n", "line 1\nline 2\n"],
  ])("in a file, %s", async (_how, content, secret) => {
    expect(await resolve({ file: file("secret", content) })).toBe(secret);
  });

  it("in the stack's file", async () => {
    const path = file("secrets.json", JSON.stringify({ appUrl: "from the file" }));
    const environment = { PROVISION_SECRETS_FILE: path, [secretVariable("appUrl")]: "from the environment" };
    expect(await resolve({ secret: "appUrl" }, environment)).toBe("from the file");
  });

  it("in the environment where the stack has no file", async () => {
    expect(await resolve({ secret: "appUrl" }, { PROVISION_SECRET_appUrl: "s" })).toBe("s");
  });
});

describe("an error says where the reference stands, and how to fix it", () => {
  const secrets = file("stack.json", JSON.stringify({ number: 1, nothing: "" }));
  const broken = file("broken.json", '{"appUrl": "hunter2-hunter2"');
  const list = file("list.json", '["hunter2-hunter2"]');
  it.each<[string, SecretRef, NodeJS.ProcessEnv, string, string]>([
    ["no variable", { env: "APP_URL" }, {}, "the environment variable APP_URL is not set", "Set APP_URL"],
    [
      "an empty variable",
      { env: "APP_URL" },
      { APP_URL: "" },
      'the secret {"env":"APP_URL"} is empty',
      "Give it a value",
    ],
    ["no file", { file: "/nonexistent/x" }, {}, "the secret's file /nonexistent/x cannot be read", "chmod 600"],
    ["an empty file", { file: file("empty", "\n") }, {}, "is empty", "Give it a value"],
    ["a folder", { file: folder.path }, {}, "cannot be read", "chmod 600"],
    [
      "an ARN outside of AWS",
      { arn: "arn:aws:secretsmanager:us-east-1:1:secret:x" },
      {},
      "only the aws target can resolve arn:aws:secretsmanager:us-east-1:1:secret:x",
      "{ env: NAME }",
    ],
    [
      "a parameter outside of AWS",
      { ssm: "/app/url" },
      {},
      "only the aws target can resolve /app/url",
      "{ env: NAME }",
    ],
    [
      "no variable of the stack",
      { secret: "appUrl" },
      {},
      'the secret "appUrl" is not in the environment (PROVISION_SECRET_appUrl)',
      "pulumi config set --path --secret 'provision:secrets.appUrl'",
    ],
    [
      "a name that the stack's file lacks",
      { secret: "appUrl" },
      { PROVISION_SECRETS_FILE: secrets },
      secrets,
      "pulumi up",
    ],
    ["a name of every object", { secret: "toString" }, { PROVISION_SECRETS_FILE: secrets }, "not in", "pulumi up"],
    ["something else than a text", { secret: "number" }, { PROVISION_SECRETS_FILE: secrets }, "not in", "pulumi up"],
    ["an empty secret", { secret: "nothing" }, { PROVISION_SECRETS_FILE: secrets }, "is empty", "Give it a value"],
    [
      "a stack's file that is missing",
      { secret: "a" },
      { PROVISION_SECRETS_FILE: "/nonexistent/y" },
      "/nonexistent/y",
      "600",
    ],
    ["a stack's file that is no JSON", { secret: "a" }, { PROVISION_SECRETS_FILE: broken }, "is not JSON", "pulumi up"],
    ["a stack's file that is a list", { secret: "a" }, { PROVISION_SECRETS_FILE: list }, "not in", "pulumi up"],
  ])("for %s", async (_name, ref, environment, message, fix) => {
    const problem: unknown = await resolve(ref, environment).catch((error: unknown) => error);
    expect(problem).toMatchObject({
      code: "CONFIG",
      message: expect.stringMatching(/^database\.url: /) as string,
      fix: expect.stringContaining(fix) as string,
    });
    expect((problem as Error).message).toContain(message);
    expect(JSON.stringify(problem) + String(problem)).not.toContain("hunter2");
  });
});
