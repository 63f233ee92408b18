import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { BackupSecrets, type BackupSecretsArgs } from "../../../components/aws/backup-secrets.ts";
import { inputsOf, longStacks, names, statements } from "../../helpers/aws.ts";
import { isSecret, mockEngine, registered, unwrap } from "../../helpers/mocks.ts";

const MARKER = "s3cr3t-m4rker";
const existing = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:theirs-AbCdEf";

function args(changes: Partial<BackupSecretsArgs> = {}): BackupSecretsArgs {
  return {
    stack: "prod",
    secrets: {
      appUrl: `app-${MARKER}`,
      dsn: pulumi.secret(`dsn-${MARKER}`),
      unused: pulumi.secret(`unused-${MARKER}`),
    },
    names: ["dsn", "appUrl", "appUrl"],
    existing: [existing],
    keyArn: "arn:key",
    ...changes,
  };
}

describe.each([false, true])("BackupSecrets (preview: %s)", (preview) => {
  it("makes one secret for each name that is used, and none for what exists", async () => {
    const recorded = await mockEngine({ preview });
    const secrets = new BackupSecrets("secrets", args());
    await registered(secrets);
    expect(names(recorded)).toEqual([
      "Secret secrets-prod-appUrl",
      "Secret secrets-prod-dsn",
      "SecretPolicy secrets-prod-appUrl-policy",
      "SecretPolicy secrets-prod-dsn-policy",
      "SecretVersion secrets-prod-appUrl-value",
      "SecretVersion secrets-prod-dsn-value",
    ]);
    expect(Object.keys(secrets.arns).sort()).toEqual(["appUrl", existing, "dsn"].sort());
    expect(JSON.stringify(recorded)).not.toContain("theirs-AbCdEf");
    expect(JSON.stringify(recorded)).not.toContain("unused");
  });

  it("hands over values as secrets, and nothing else of them", async () => {
    const recorded = await mockEngine({ preview });
    await registered(
      new BackupSecrets("secrets", args({ secrets: { appUrl: `app-${MARKER}`, dsn: `dsn-${MARKER}` } })),
    );
    const values = recorded.filter(({ type }) => type.endsWith(":SecretVersion"));
    expect(values).toHaveLength(2);
    for (const { inputs, name } of values) {
      if (!isSecret(inputs.secretString)) throw new Error(`${name} went to the engine in plain`);
      expect(inputs.secretString.value).toBe(`${name === "secrets-prod-dsn-value" ? "dsn" : "app"}-${MARKER}`);
    }
    const others = recorded.filter(({ type }) => !type.endsWith(":SecretVersion"));
    expect(JSON.stringify(others)).not.toContain(MARKER);
  });
});

describe("BackupSecrets", () => {
  it("gives ARNs that do not depend on a value", async () => {
    await mockEngine();
    const secrets = new BackupSecrets("secrets", args());
    await registered(secrets);
    const { arns } = secrets;
    expect(await unwrap(arns.appUrl ?? pulumi.output(""))).toBe(
      "arn:aws:secretsmanager:eu-central-1:123456789012:Secret/secrets-prod-appUrl",
    );
    expect(await unwrap(arns[existing] ?? pulumi.output(""))).toBe(existing);
    expect(await pulumi.isSecret(arns.appUrl ?? pulumi.output(""))).toBe(false);
  });

  it("encrypts with the key, can bring a secret back for 30 days, and refuses a public policy", async () => {
    const recorded = await mockEngine();
    await registered(new BackupSecrets("secrets", args({ names: ["dsn"], tags: { team: "db" } })));
    expect(inputsOf(recorded, "secretsmanager/secret:Secret")).toMatchObject({
      kmsKeyId: "arn:key",
      recoveryWindowInDays: 30,
      tags: { team: "db" },
    });
    const policy = inputsOf(recorded, "secretsmanager/secretPolicy:SecretPolicy");
    expect(policy.blockPublicPolicy).toBe(true);
    const { DenyWithoutTls, DenyOtherAccounts, ...others } = statements(policy.policy);
    expect(others).toEqual({});
    expect(DenyWithoutTls).toMatchObject({ Effect: "Deny", Principal: "*" });
    expect(DenyOtherAccounts).toMatchObject({
      Effect: "Deny",
      Condition: { StringNotEquals: { "aws:PrincipalAccount": "123456789012" } },
    });
  });

  it("removes a secret at once where that is asked for", async () => {
    const recorded = await mockEngine();
    await registered(new BackupSecrets("secrets", args({ names: ["dsn"], recoveryWindowDays: 0 })));
    expect(inputsOf(recorded, "secretsmanager/secret:Secret")).toMatchObject({ recoveryWindowInDays: 0 });
  });

  it("keeps the long names of two stacks apart", async () => {
    const recorded = await mockEngine();
    const name = "s".repeat(63);
    const secrets = { [name]: "x" };
    await registered(
      ...longStacks.map((stack) => new BackupSecrets("secrets", args({ stack, secrets, names: [name] }))),
    );
    // Pulumi makes the secret's own name of the child's.
    expect(names(recorded).filter((child) => child.startsWith("Secret "))).toEqual(
      longStacks.map((stack) => `Secret secrets-${stack}-${name}`),
    );
  });

  it("makes nothing where nothing is used", async () => {
    const recorded = await mockEngine();
    const secrets = new BackupSecrets("secrets", args({ names: [], existing: [] }));
    await registered(secrets);
    expect(names(recorded)).toEqual([]);
    expect(secrets.arns).toEqual({});
  });
});
