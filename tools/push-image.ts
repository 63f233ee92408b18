import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { buildScript, contentTag } from "../components/aws/backup-image/build-script.ts";

// Builds the image for ARM64 and pushes it, unless the repository has it already, and prints it with its digest, for the
// configuration of the stacks: `node tools/push-image.ts 123456789012.dkr.ecr.eu-central-1.amazonaws.com/provision`. It does what
// a stack without an image of its own does, and needs no package of npm.

const [repository] = process.argv.slice(2);
if (repository === undefined || !/^\d{12}\.dkr\.ecr\.[^/]+\/[^:@]+$/.test(repository)) {
  console.error("usage: node tools/push-image.ts <account>.dkr.ecr.<region>.amazonaws.com/<repository>");
  process.exit(2);
}
const source = fileURLToPath(new URL("..", import.meta.url));
const platform = "linux/arm64";
const { status, stdout } = spawnSync("/bin/sh", ["-c", buildScript], {
  cwd: source,
  env: { ...process.env, REPOSITORY: repository, TAG: contentTag(source, { platform }), PLATFORM: platform },
  encoding: "utf8",
  stdio: ["ignore", "pipe", "inherit"],
});
if (status === 0) console.log(`${repository}@${stdout}`);
else process.exitCode = 1;
