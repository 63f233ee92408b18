import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BackupImage, type BackupImageArgs } from "../../../components/aws/backup-image.ts";
import { runnerFiles } from "../../../components/runner-files.ts";
import { isSecret, mockEngine, registered, unwrap, type RecordedResource } from "../../helpers/mocks.ts";
import { TemporaryFolder } from "../../helpers/script.ts";

const source = fileURLToPath(new URL("../../..", import.meta.url)).replace(/\/$/, "");
const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
const url = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/image-dev-1a2b3c4";
const arn = "arn:aws:ecr:eu-central-1:123456789012:repository/image-dev-1a2b3c4";
const state = { "aws:ecr/repository:Repository": { name: "image-dev-1a2b3c4", repositoryUrl: url, arn } };

const build = { source, architecture: "arm64" } as const;

type Args =
  | Omit<Extract<BackupImageArgs, { build: object }>, "stack">
  | Omit<Extract<BackupImageArgs, { build?: undefined }>, "stack">;

async function make(changes: Args, preview = false, stdout = digest) {
  const recorded = await mockEngine({ preview, stdout: () => stdout, states: state });
  const image = new BackupImage("image", { stack: "dev", ...changes });
  await registered(image);
  return { image, recorded };
}

function inputsOf(recorded: readonly RecordedResource[], name: string): Readonly<Record<string, unknown>> {
  const found = recorded.find((each) => each.name === name);
  if (found === undefined) throw new Error(`There is no ${name} among ${recorded.map((each) => each.name).join()}`);
  return found.inputs;
}

/** The SDK has this, but leaves it out of its types. */
function isKnown(output: pulumi.Output<unknown>): Promise<boolean> {
  return (output as unknown as { isKnown: Promise<boolean> }).isKnown;
}

function tagOf(recorded: readonly RecordedResource[]): string {
  return (inputsOf(recorded, "image-dev-build").environment as { TAG: string }).TAG;
}

describe("BackupImage with a finished image", () => {
  it.each([
    [`${url}@${digest}`, arn],
    [
      `123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a/b@${digest}`,
      "arn:aws-cn:ecr:cn-north-1:123456789012:repository/a/b",
    ],
    [
      `123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/a@${digest}`,
      "arn:aws-us-gov:ecr:us-gov-west-1:123456789012:repository/a",
    ],
    [
      `123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu/a@${digest}`,
      "arn:aws-eusc:ecr:eusc-de-east-1:123456789012:repository/a",
    ],
    [`123456789012.dkr-ecr.eu-west-1.on.aws/a/b@${digest}`, "arn:aws:ecr:eu-west-1:123456789012:repository/a/b"],
    [
      `123456789012.dkr-ecr-fips.us-gov-west-1.on.aws/a@${digest}`,
      "arn:aws-us-gov:ecr:us-gov-west-1:123456789012:repository/a",
    ],
    [`123456789012.dkr.ecr.eu-west-1.amazonaws.com.example.org/a@${digest}`, undefined],
    [`ghcr.io/acme/provision@${digest}`, undefined],
    [`localhost:5000/provision@${digest}`, undefined],
  ])("takes %s as it is and makes nothing", async (reference, repositoryArn) => {
    const { image, recorded } = await make({ image: reference });
    expect(await unwrap(image.ref)).toBe(reference);
    expect(image.repositoryArn && (await unwrap(image.repositoryArn))).toBe(repositoryArn);
    expect(recorded.map(({ type }) => type)).toEqual(["provision:aws:BackupImage"]);
  });

  it.each([
    [`${url}:v1`, `names the image by the tag v1`, `docker buildx imagetools inspect ${url}:v1`],
    [url, "names no digest", `docker buildx imagetools inspect ${url}:TAG`],
    [`${url}:v1@${digest}`, "has a tag beside its digest", 'Leave out ":v1"'],
    [`localhost:5000/p:v1@${digest}`, "has a tag beside its digest", 'Leave out ":v1"'],
    [`provision@${digest}`, "names no registry", "expected registry/repository@sha256:"],
    [`${url}@sha256:abc`, "is no reference", "with 64 hexadecimal digits"],
    [`${url}@${digest} `, "is no reference", "with 64 hexadecimal digits"],
    ["", "names no digest", "expected registry/repository@sha256:"],
  ])("refuses %j and says what would be right", async (reference, wrong, right) => {
    await mockEngine();
    const attempt = () => new BackupImage("image", { stack: "dev", image: reference });
    expect(attempt).toThrow(wrong);
    expect(attempt).toThrow(right);
  });
});

describe.each([false, true])("BackupImage that builds (preview: %s)", (preview) => {
  it("makes a repository whose images stay as they are, and one command", async () => {
    const { recorded } = await make({ build, tags: { team: "data" } }, preview);
    expect(recorded.map(({ type, name }) => `${type} ${name}`).sort()).toEqual([
      "aws:ecr/lifecyclePolicy:LifecyclePolicy image-dev-lifecycle",
      "aws:ecr/repository:Repository image-dev",
      "command:local:Command image-dev-build",
      "provision:aws:BackupImage image",
    ]);
    expect(inputsOf(recorded, "image-dev")).toEqual({
      imageTagMutability: "IMMUTABLE",
      imageScanningConfiguration: { scanOnPush: true },
      encryptionConfigurations: [{ encryptionType: "KMS" }],
      forceDelete: false,
      tags: { team: "data" },
    });
    const policy = JSON.parse(String(inputsOf(recorded, "image-dev-lifecycle").policy)) as { rules: unknown[] };
    expect(policy.rules).toMatchObject([
      { rulePriority: 1, selection: { tagStatus: "untagged", countType: "sinceImagePushed", countNumber: 14 } },
      { rulePriority: 2, selection: { tagStatus: "any", countType: "imageCountMoreThan", countNumber: 50 } },
    ]);
  });

  it("runs a command that logs nothing, is never replaced and removes nothing", async () => {
    const { recorded } = await make({ build: { ...build, baseImage: "debian:x", profile: "ops" } }, preview);
    const { create, environment, ...rest } = inputsOf(recorded, "image-dev-build");
    expect(rest).toEqual({ logging: "none", addPreviousOutputInEnv: false });
    expect(create).toEqual(expect.stringContaining("docker buildx build"));
    expect(environment).toMatchObject({
      PLATFORM: "linux/arm64",
      BASE_IMAGE: "debian:x",
      AWS_PROFILE: "ops",
      TAG: expect.stringMatching(/^content-[0-9a-f]{40}-arm64$/) as string,
    });
  });
});

describe("BackupImage that builds", () => {
  let folder: TemporaryFolder;
  beforeEach(() => {
    folder = new TemporaryFolder();
  });
  afterEach(() => {
    folder.remove();
  });

  it("refers to the image by the digest that was pushed, in plain", async () => {
    const { image, recorded } = await make({ build });
    expect(await unwrap(image.ref)).toBe(`${url}@${digest}`);
    expect(await pulumi.isSecret(image.ref)).toBe(false);
    expect(image.repositoryArn && (await unwrap(image.repositoryArn))).toBe(arn);
    expect(Object.values(inputsOf(recorded, "image-dev-build")).some(isSecret)).toBe(false);
  });

  it("knows no digest in a preview", async () => {
    const { image } = await make({ build }, true);
    expect(await isKnown(image.ref)).toBe(false);
  });

  it("encrypts the images with a key that is named", async () => {
    const keyArn = "arn:aws:kms:eu-central-1:123456789012:key/1";
    const { recorded } = await make({ build: { ...build, keyArn } });
    expect(inputsOf(recorded, "image-dev").encryptionConfigurations).toEqual([
      { encryptionType: "KMS", kmsKey: keyArn },
    ]);
  });

  it("gives its repository a name that ECR takes, whatever the stack is called", async () => {
    const recorded = await mockEngine({ states: state, stdout: () => digest });
    await registered(new BackupImage("image", { stack: "My_.Stack", build }));
    expect(recorded.map(({ name }) => name)).toContain("image-my-stack");
  });

  it("has one tag for one content on every machine, and another for each change of what goes into the image", async () => {
    const copy = folder.path;
    const parts = ["Dockerfile", ".dockerignore", ".npmrc", "package.json", "package-lock.json", "providers", "runner"];
    for (const part of [...parts, "README.md", "test/image"])
      cpSync(join(source, part), join(copy, part), { recursive: true });
    const tag = async (changes: object = {}) =>
      tagOf((await make({ build: { ...build, source: copy, ...changes } })).recorded);
    const first = await tag();
    expect(first).toBe(tagOf((await make({ build })).recorded));
    expect(await tag({ keepImages: 3, profile: "ops" })).toBe(first);
    for (const name of ["README.md", "test/image/image.test.ts", "new.md"]) writeFileSync(join(copy, name), "changed");
    expect(await tag()).toBe(first);

    const tags = [first, await tag({ architecture: "x86_64" }), await tag({ baseImage: "debian:x" })];
    for (const name of ["Dockerfile", ".dockerignore", "runner/cli.js", "providers/new.ts"]) {
      writeFileSync(join(copy, name), "changed");
      tags.push(await tag());
    }
    const lock = JSON.parse(readFileSync(join(copy, "package-lock.json"), "utf8")) as {
      packages: Record<string, object>;
    };
    const lockWith = async (name: string, entry: object) => {
      const packages = { ...lock.packages, [`node_modules/${name}`]: entry };
      writeFileSync(join(copy, "package-lock.json"), JSON.stringify({ ...lock, packages }));
      return tag();
    };
    tags.push(await lockWith("zod", { version: "99.0.0" }));
    expect(new Set(tags).size).toBe(tags.length);
    const before = await lockWith("only-for-tests", { version: "1.0.0", dev: true });
    expect(await lockWith("only-for-tests", { version: "2.0.0", dev: true })).toBe(before);
  });

  it("hashes what Docker gets to see, and lets Docker see no more", () => {
    const shown = readFileSync(join(source, ".dockerignore"), "utf8").split("\n");
    const tops = new Set(Object.keys(runnerFiles(source)).map((name) => `!${name.split("/")[0] ?? ""}`));
    expect(shown.filter((line) => line !== "" && !line.startsWith("#"))).toEqual(["*", ...tops]);
  });
});
