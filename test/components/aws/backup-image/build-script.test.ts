import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { buildScript, contentTag } from "../../../../components/aws/backup-image/build-script.ts";
import { FakeCloud } from "./fake-cloud.ts";

let cloud: FakeCloud;
beforeEach(async () => {
  cloud = await FakeCloud.start();
});
afterEach(() => {
  cloud.remove();
});

/** Runs the script as the command plugin does. */
function build(environment: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync("/bin/sh", ["-c", buildScript], {
    cwd: cloud.source,
    env: { ...cloud.environment, ...environment },
    encoding: "utf8",
  });
  expect(cloud.leftovers()).toEqual([]);
  expect(`${cloud.lines("calls").join("\n")} ${stdout} ${stderr}`).not.toContain(cloud.token);
  return { status, stdout, stderr };
}

const dockerCalls = () => cloud.lines("calls").filter((line) => line.startsWith("docker"));

describe("the script that builds the image", () => {
  it("builds, pushes and prints the digest alone", () => {
    expect(build()).toMatchObject({ status: 0, stdout: cloud.digest });
    expect(cloud.lines("built")).toEqual(["linux/arm64"]);
  });

  it("builds for another processor and on another base", () => {
    const { status } = build({ PLATFORM: "linux/amd64", BASE_IMAGE: "debian:trixie-slim@sha256:1" });
    expect(status).toBe(0);
    expect(cloud.lines("built")).toEqual(["linux/amd64 BASE_IMAGE=debian:trixie-slim@sha256:1"]);
  });

  it("does not build, and needs no Docker, where the repository has the tag", () => {
    build();
    const before = dockerCalls().length;
    cloud.uninstall("docker");
    expect(build()).toEqual({ status: 0, stdout: cloud.digest, stderr: "" });
    expect(dockerCalls()).toHaveLength(before);
  });

  it("builds again for another tag", () => {
    build();
    expect(build({ TAG: "content-2" })).toMatchObject({ status: 0, stdout: cloud.digest });
    expect(cloud.lines("built")).toHaveLength(2);
  });

  it("takes the image of another deployment that was faster", () => {
    const other = `sha256:${"f".repeat(64)}`;
    cloud.set("faster", other);
    expect(build()).toMatchObject({ status: 0, stdout: other });
  });

  it.each([
    [
      "the repository may not be looked at",
      "denied",
      "AccessDeniedException",
      "credentials of the account 123456789012 with ecr:DescribeImages: by provision:aws.build.profile or AWS_PROFILE.",
      0,
    ],
    ["Docker has no buildx", "no-buildx", "Docker with buildx is not on this machine", "set provision:aws.image", 0],
    ["the build fails", "broken", "did not complete successfully", "set provision:aws.architecture", 1],
  ])("fails with the reason and what to do where %s", (_name, fault, reason, fix, builds) => {
    cloud.set(fault);
    const { status, stdout, stderr } = build();
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain(reason);
    expect(stderr).toContain(fix);
    expect(cloud.lines("built")).toHaveLength(builds);
  });

  it("fails with the reason where the repository is not there", () => {
    const { status, stderr } = build({ REPOSITORY: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/provision" });
    expect(status).toBe(1);
    expect(stderr).toContain("RepositoryNotFoundException");
  });

  it("says which builder it takes where this one makes no images for the processor", () => {
    cloud.set("builder", "Nodes:\nPlatforms:        linux/amd64*, linux/amd64/v2, linux/386\n");
    const { status, stdout, stderr } = build();
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain(
      "builder of this machine makes no images for linux/arm64, only for linux/amd64,linux/amd64/v2,linux/386.",
    );
    expect(stderr).toContain("choose another builder");
    expect(cloud.lines("built")).toEqual([]);
    expect(build({ PLATFORM: "linux/amd64" })).toMatchObject({ status: 0, stdout: cloud.digest });
  });

  it("leaves it to the build where the builder names no platforms yet", () => {
    cloud.set("builder", "Name: b\nDriver: docker-container\n\nNodes:\nStatus: inactive\n");
    expect(build()).toMatchObject({ status: 0, stdout: cloud.digest });
  });

  it("says what to install where there is no AWS CLI", () => {
    cloud.uninstall("aws");
    const { status, stderr } = build();
    expect(status).toBe(1);
    expect(stderr).toContain("The AWS CLI is not on this machine");
    expect(stderr).toContain("Install it");
  });
});

describe("tools/push-image.ts, by which CI builds the image", () => {
  const project = fileURLToPath(new URL("../../../..", import.meta.url));
  const push = (...args: string[]) =>
    spawnSync(process.execPath, [join(project, "tools/push-image.ts"), ...args], {
      env: cloud.environment,
      encoding: "utf8",
    });

  it("prints the image with its digest, and gives it the tag that a stack would", () => {
    const { REPOSITORY = "" } = cloud.environment;
    for (let round = 0; round < 2; round += 1) {
      expect(push(REPOSITORY)).toMatchObject({ status: 0, stdout: `${REPOSITORY}@${cloud.digest}\n` });
    }
    expect(cloud.lines("built")).toEqual(["linux/arm64"]);
    expect(cloud.lines(`images/${contentTag(project, { platform: "linux/arm64" })}`)).toEqual([cloud.digest]);
  });

  it("builds for the processor that the stacks' tasks have", () => {
    const { REPOSITORY = "" } = cloud.environment;
    expect(push(REPOSITORY, "x86_64")).toMatchObject({ status: 0, stdout: `${REPOSITORY}@${cloud.digest}\n` });
    expect(cloud.lines("built")).toEqual(["linux/amd64"]);
    expect(cloud.lines(`images/${contentTag(project, { platform: "linux/amd64" })}`)).toEqual([cloud.digest]);
  });

  it("fails where the build does, and prints no image", () => {
    cloud.set("broken");
    expect(push(cloud.environment.REPOSITORY ?? "")).toMatchObject({ status: 1, stdout: "" });
  });

  it.each([
    [[]],
    [["provision"]],
    [["123456789012.dkr.ecr.eu-central-1.amazonaws.com/provision:v1"]],
    [["123456789012.dkr.ecr.eu-central-1.amazonaws.com/provision", "amd64"]],
  ])("explains how to call it after %j", (args) => {
    const { status, stderr } = push(...args);
    expect(status).toBe(2);
    expect(stderr).toContain("usage: node tools/push-image.ts");
  });
});
