import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { awsAccount, callerArn, providerRegion } from "../../../components/aws/aws-account.ts";
import { mockEngine, promised, unwrap } from "../../helpers/mocks.ts";

class Component extends pulumi.ComponentResource {
  constructor(name: string) {
    super("test:index:Component", name);
  }
}

/** What the provider says without credentials, with the trace of its own process. */
const refuse = (token: string) => () => {
  throw new Error(`${token}: No valid credential sources found.\n    at provider (aws.go:1)`);
};
const token = (name: string) => `aws:index/get${name}:get${name}`;

describe("a program without credentials of AWS", () => {
  it("ends in one line, however many components ask", async () => {
    const calls = Object.fromEntries(
      ["CallerIdentity", "Region", "Partition"].map((name) => [token(name), refuse(token(name))]),
    );
    await mockEngine({ calls });
    const outputs = ["one", "other"].flatMap((name) => {
      const parent = new Component(name);
      const { id, region, partition } = awsAccount(parent);
      return [id, region, partition, callerArn(parent), providerRegion(parent)];
    });
    const failures = await Promise.all(outputs.map((output) => promised(output).catch((error: unknown) => error)));
    // Pulumi prints each error object once, and of this class the message alone.
    const [failure] = new Set(failures);
    expect(new Set(failures).size).toBe(1);
    if (!pulumi.RunError.isInstance(failure)) throw new Error("it is no RunError");
    expect(failure.message).toMatch(
      /^AWS does not say whose account this is\. Give this shell credentials .* The reason: /,
    );
    expect(failure.message).not.toMatch(/\n/);
  });

  it("has its account, region and partition where there are some", async () => {
    await mockEngine();
    const { id, region, partition } = awsAccount(new Component("one"));
    expect(await Promise.all([id, region, partition].map(unwrap))).toEqual(["123456789012", "eu-central-1", "aws"]);
  });
});
