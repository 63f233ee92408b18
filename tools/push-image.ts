import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { buildScript, contentTag } from "../components/aws/backup-image/build-script.ts";
import { ARCHITECTURES, platformOf } from "../components/aws/backup-image/platform.ts";

// Builds the image for a processor, by default ARM64, and pushes it, unless the repository has it already, and prints it with its
// digest, for the configuration of the stacks: `node tools/push-image.ts 123456789012.dkr.ecr.eu-central-1.amazonaws.com/provision
// x86_64`, where `provision:aws.architecture` of these stacks is x86_64. It does what a stack without an image of its own does, and
// needs no package of npm.

const [repository, architecture = "arm64"] = process.argv.slice(2);
const platform = platformOf(architecture);
if (repository === undefined || !/^\d{12}\.dkr\.ecr\.[^/]+\/[^:@]+$/.test(repository) || platform === undefined) {
  console.error(
    `usage: node tools/push-image.ts <account>.dkr.ecr.<region>.amazonaws.com/<repository> [${ARCHITECTURES.join("|")}]`,
  );
  process.exit(2);
}
const source = fileURLToPath(new URL("..", import.meta.url));
const { status, stdout } = spawnSync("/bin/sh", ["-c", buildScript], {
  cwd: source,
  env: { ...process.env, REPOSITORY: repository, TAG: contentTag(source, { platform }), PLATFORM: platform },
  encoding: "utf8",
  stdio: ["ignore", "pipe", "inherit"],
});
if (status === 0) console.log(`${repository}@${stdout}`);
else process.exitCode = 1;
