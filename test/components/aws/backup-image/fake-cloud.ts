import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findOnPath } from "../../../../tools/install/executables.ts";
import { TemporaryFolder } from "../../../helpers/script.ts";

/** What the script may use of a machine beside `aws` and `docker`. */
const UTILITIES = ["cat", "chmod", "cut", "grep", "ln", "mkdir", "mktemp", "rm", "sh", "sleep", "tr"];

/** `aws`, as far as the script may use it: it refuses every other call, and a tag that is not there as ECR does. */
const aws = `#!/bin/sh
echo "aws $*" >>"$CLOUD/calls"
refuse() { echo "aws: $1" >&2; exit 252; }
failure() { echo "An error occurred ($1) when calling the DescribeImages operation: $2" >&2; exit 254; }
case "$1 $2" in
  "ecr describe-images")
    shift 2
    region= registry= repository= tag= query= output=
    while [ $# -gt 0 ]; do
      case $1 in
        --region) region=$2 ;;
        --registry-id) registry=$2 ;;
        --repository-name) repository=$2 ;;
        --image-ids) tag=\${2#imageTag=} ;;
        --query) query=$2 ;;
        --output) output=$2 ;;
        *) refuse "Unknown options: $1" ;;
      esac
      shift 2
    done
    [ "$query $output" = "imageDetails[0].imageDigest text" ] || refuse "not what the script needs"
    [ ! -e "$CLOUD/denied" ] || failure AccessDeniedException "User is not authorized to perform: ecr:DescribeImages"
    [ "$registry $region $repository" = "123456789012 eu-central-1 team/provision" ] ||
      failure RepositoryNotFoundException "The repository with name '$repository' does not exist"
    [ -e "$CLOUD/images/$tag" ] || failure ImageNotFoundException "The image with imageId {imageTag:'$tag'} does not exist"
    cat "$CLOUD/images/$tag"
    ;;
  "ecr get-login-password")
    [ "$3 $4" = "--region eu-central-1" ] || refuse "another region"
    cat "$CLOUD/token"
    ;;
  *) refuse "Invalid choice: $1 $2" ;;
esac
`;

/** `docker`, as far as the script may use it. It gets at the registry only with a token, which no file of the machine may hold. */
const docker = `#!/bin/sh
echo "docker $*" >>"$CLOUD/calls"
refuse() { echo "ERROR: $1" >&2; exit 1; }
case "$1 $2" in
  "buildx version") [ ! -e "$CLOUD/no-buildx" ] || refuse "docker: unknown command: docker buildx" ;;
  "buildx inspect") cat "$CLOUD/builder" ;;
  "context show") echo laptop ;;
  "buildx build")
    shift 2
    platform= tag= push= base=
    while [ $# -gt 1 ]; do
      case $1 in
        --platform) platform=$2; shift ;;
        --tag) tag=$2; shift ;;
        --build-arg) base=$2; shift ;;
        --push) push=yes ;;
        --provenance=false | --sbom=false | --progress=plain) ;;
        *) refuse "unknown flag: $1" ;;
      esac
      shift
    done
    [ "$1" = . ] && [ -e Dockerfile ] || refuse "failed to read dockerfile"
    echo "$platform $base" >>"$CLOUD/built"
    [ "$DOCKER_CONTEXT" = laptop ] && [ -e "$DOCKER_CONFIG/contexts/meta" ] || refuse "context not found"
    [ -e "$DOCKER_CONFIG/cli-plugins/docker-buildx" ] || refuse "docker buildx is not there"
    echo "#1 building"
    [ ! -e "$CLOUD/broken" ] || refuse "process \\"/bin/sh -c npm ci\\" did not complete successfully: exit code: 1"
    [ "$push" = yes ] || refuse "nothing to do"
    registry=\${tag%%/*}
    grep -q "{\\"credHelpers\\":{\\"$registry\\":\\"provision\\"}}" "$DOCKER_CONFIG/config.json" || refuse "no basic auth credentials"
    printf %s "$registry" | docker-credential-provision get >"$CLOUD/answer"
    [ "$(cat "$CLOUD/answer")" = "{\\"ServerURL\\":\\"$registry\\",\\"Username\\":\\"AWS\\",\\"Secret\\":\\"$(cat "$CLOUD/token")\\"}" ] ||
      refuse "401 Unauthorized"
    if grep -rq "$(cat "$CLOUD/token")" "$TMPDIR" "$HOME"; then refuse "a file holds the token"; fi
    [ ! -e "$CLOUD/faster" ] || cat "$CLOUD/faster" >"$CLOUD/images/\${tag##*:}"
    [ ! -e "$CLOUD/images/\${tag##*:}" ] || refuse "tag invalid: The image tag already exists in the repository and is immutable"
    cat "$CLOUD/next-digest" >"$CLOUD/images/\${tag##*:}"
    ;;
  *) refuse "unknown command: docker $1" ;;
esac
`;

/** A machine with the AWS CLI and Docker, and the registry that they reach. */
export class FakeCloud {
  /** What ECR gives the next image that is pushed. */
  readonly digest = `sha256:${"0123456789abcdef".repeat(4)}`;
  readonly token = "t0ken-m4rker-of-twelve-hours";
  readonly #folder = new TemporaryFolder();

  /** Puts the programs and the state of the registry into a folder. */
  static async start(): Promise<FakeCloud> {
    const cloud = new FakeCloud();
    const { path } = cloud.#folder;
    for (const name of [
      "bin",
      "cloud/images",
      "home/.docker/contexts/meta",
      "home/.docker/cli-plugins",
      "source",
      "tmp",
    ]) {
      mkdirSync(join(path, name), { recursive: true });
    }
    for (const name of UTILITIES) symlinkSync((await findOnPath(name)) ?? name, join(path, "bin", name));
    cloud.#folder.program("bin/aws", aws);
    cloud.#folder.program("bin/docker", docker);
    writeFileSync(join(path, "home/.docker/cli-plugins/docker-buildx"), "");
    writeFileSync(join(path, "home/.docker/config.json"), '{"currentContext":"laptop"}');
    writeFileSync(join(path, "source/Dockerfile"), "");
    cloud.set("next-digest", `${cloud.digest}\n`);
    cloud.set(
      "builder",
      "Name:          default\nDriver:        docker\n\nNodes:\nPlatforms:        linux/amd64*, linux/amd64/v2, linux/arm64\n",
    );
    cloud.set("token", `${cloud.token}\n`);
    return cloud;
  }

  /** The folder to run the script in. */
  get source(): string {
    return join(this.#folder.path, "source");
  }

  /** The variables of a deployment that pushes to `team/provision`. */
  get environment(): Record<string, string> {
    const { path } = this.#folder;
    return {
      PATH: join(path, "bin"),
      HOME: join(path, "home"),
      TMPDIR: join(path, "tmp"),
      CLOUD: join(path, "cloud"),
      REPOSITORY: "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/provision",
      TAG: "content-1",
      PLATFORM: "linux/arm64",
    };
  }

  /** Writes a file of the cloud's: `denied`, `no-buildx`, `broken`, `faster`, `builder` change how it answers. */
  set(name: string, content = ""): void {
    writeFileSync(join(this.#folder.path, "cloud", name), content);
  }

  /** The lines of a file of the cloud's: `calls`, `built`. */
  lines(name: string): string[] {
    try {
      return readFileSync(join(this.#folder.path, "cloud", name), "utf8")
        .trimEnd()
        .split("\n");
    } catch {
      return [];
    }
  }

  /** Takes a program away. */
  uninstall(name: string): void {
    rmSync(join(this.#folder.path, "bin", name));
  }

  /** What lies in the folder for temporary files. */
  leftovers(): string[] {
    return readdirSync(join(this.#folder.path, "tmp"));
  }

  remove(): void {
    this.#folder.remove();
  }
}
