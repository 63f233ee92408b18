import { describe, expect, it } from "vitest";
import { BackupKey } from "../../../components/aws/backup-key.ts";
import { inputsOf, longStacks, names, statements, watchOptions } from "../../helpers/aws.ts";
import { mockEngine, registered } from "../../helpers/mocks.ts";

describe.each([false, true])("BackupKey (preview: %s)", (preview) => {
  it("makes a key that rotates and stays, and an alias that does not", async () => {
    const recorded = await mockEngine({ preview });
    const watch = watchOptions();
    await registered(new BackupKey("key", { stack: "prod", tags: { team: "db" } }, watch.opts));
    expect(names(recorded)).toEqual(["Alias key-alias", "Key key-key"]);
    expect(inputsOf(recorded, "kms/key:Key")).toMatchObject({
      enableKeyRotation: true,
      deletionWindowInDays: 30,
      tags: { team: "db" },
    });
    expect(watch.of("key-key")).toMatchObject({ retainOnDelete: true });
    expect(watch.of("key-alias").retainOnDelete).toBeUndefined();
  });

  it("goes on destroy where that is asked for", async () => {
    await mockEngine({ preview });
    const watch = watchOptions();
    await registered(new BackupKey("key", { stack: "dev", removeOnDestroy: true }, watch.opts));
    expect(watch.of("key-key")).toMatchObject({ retainOnDelete: false, protect: false });
  });

  it("refuses its removal where it is protected", async () => {
    await mockEngine({ preview });
    const watch = watchOptions();
    await registered(new BackupKey("key", { stack: "prod", protect: true }, watch.opts));
    expect(watch.of("key-key")).toMatchObject({ retainOnDelete: true, protect: true });
  });
});

describe("BackupKey", () => {
  it("lets nobody use the key but through services, and those only for this account", async () => {
    const recorded = await mockEngine();
    await registered(new BackupKey("key", { stack: "prod" }));
    const all = statements(inputsOf(recorded, "kms/key:Key").policy);
    const { Administer, UseThroughServices, DecryptSchedules, EncryptLogs, ...others } = all;
    expect(others).toEqual({});
    const root = { AWS: "arn:aws:iam::123456789012:root" };
    expect(Administer?.Principal).toEqual(root);
    const using = /Encrypt|Decrypt|GenerateDataKey|CreateGrant|kms:\*/;
    expect((Administer?.Action as string[]).filter((action) => using.test(action))).toEqual([]);
    expect(Administer?.Action).toEqual(expect.arrayContaining(["kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"]));
    expect(UseThroughServices?.Principal).toEqual(root);
    expect(UseThroughServices?.Condition?.StringEquals?.["kms:ViaService"]).toEqual(
      ["s3", "secretsmanager", "scheduler"].map((service) => `${service}.eu-central-1.amazonaws.com`),
    );
    expect(DecryptSchedules).toMatchObject({
      Principal: root,
      Action: "kms:Decrypt",
      Condition: {
        ArnLike: {
          "kms:EncryptionContext:aws:scheduler:schedule:arn": "arn:aws:scheduler:eu-central-1:123456789012:schedule/*",
        },
      },
    });
    expect(EncryptLogs).toMatchObject({
      Principal: { Service: "logs.eu-central-1.amazonaws.com" },
      Condition: {
        ArnLike: { "kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:eu-central-1:123456789012:log-group:*" },
      },
    });
  });

  it("gives each key an alias of its own, within 256 characters", async () => {
    const recorded = await mockEngine();
    await registered(...longStacks.map((stack, index) => new BackupKey(`key-${index}`, { stack })));
    const aliases = recorded.filter(({ type }) => type.endsWith(":Alias")).map(({ inputs }) => String(inputs.name));
    // Behind the stack are the first eight characters of the key's id.
    expect(aliases).toEqual(longStacks.map((stack, index) => `alias/provision-${stack}-key-${index}-ke`));
  });
});
