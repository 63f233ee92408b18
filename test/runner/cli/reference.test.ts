import { expect, it } from "vitest";
import { parseReference } from "../../../runner/cli/reference.ts";

it.each([
  ["env:TARGET_URL", { env: "TARGET_URL" }],
  ["file:/etc/provision/target", { file: "/etc/provision/target" }],
  ["file:/with:a colon", { file: "/with:a colon" }],
  ["secret:targetUrl", { secret: "targetUrl" }],
  ["arn:aws:secretsmanager:us-east-1:1:secret:x", { arn: "arn:aws:secretsmanager:us-east-1:1:secret:x" }],
])("%s refers to a secret", (text, reference) => {
  expect(parseReference("--to", text)).toEqual(reference);
});

it.each([
  "postgresql://app:hunter2@db/app",
  "hunter2",
  "",
  "env:",
  "env:hunter2-hunter2",
  "file:hunter2",
  "secret:hunter2-hunter2",
  "arn:aws:s3:::hunter2",
  "ENV:hunter2",
])("%j is refused and not repeated", (text) => {
  const act = () => parseReference("--to", text);
  expect(act).toThrow(
    expect.objectContaining({
      code: "CONFIG",
      message: "--to expects a reference to a secret.",
      fix: expect.stringContaining("env:NAME, file:/path or secret:name") as string,
    }),
  );
  expect(act).not.toThrow(/hunter2/);
});
