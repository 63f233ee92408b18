import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { scriptStart } from "../../host/shell.ts";
import { runnerFiles } from "../../runner-files.ts";

/**
 * Builds the image of its working folder and pushes it to Amazon ECR, unless the repository has the tag already; prints only the
 * image's digest. Reads REPOSITORY (its URL), TAG, PLATFORM and optionally BASE_IMAGE from its environment.
 *
 * A credential helper gives Docker the registry's token: `docker login` would store it in a file for twelve hours. The rest of
 * Docker's configuration, its builders and plugins, is linked; other registries' credentials are not.
 */
export const buildScript = `${scriptStart}
registry=\${REPOSITORY%%/*}
region=$(printf %s "$registry" | cut -d. -f4)
export registry region
command -v aws >/dev/null ||
  fail "The AWS CLI is not on this machine, which finds and pushes the runner's image." "Install it (https://docs.aws.amazon.com/cli/), or set provision:aws.image to an image that is built elsewhere."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Prints the digest of the image with the tag, or nothing where there is none.
find_image() {
  aws ecr describe-images --region "$region" --registry-id "\${registry%%.*}" --repository-name "\${REPOSITORY#*/}" \\
    --image-ids "imageTag=$TAG" --query 'imageDetails[0].imageDigest' --output text 2>"$work/error" && return
  grep -q ImageNotFoundException "$work/error" && return
  cat "$work/error" >&2
  fail "The repository $REPOSITORY cannot be read; the reason is above." "Give the AWS CLI credentials of the account \${registry%%.*} with ecr:DescribeImages: by provision:aws.build.profile or AWS_PROFILE."
}

digest=$(find_image)
if [ -z "$digest" ]; then
  docker buildx version >/dev/null 2>&1 ||
    fail "Docker with buildx is not on this machine, which builds the runner's image." "Install it (https://docs.docker.com/engine/install/), or set provision:aws.image to an image that is built elsewhere."
  # A builder that has not started yet names no platforms; the one in use has an asterisk.
  platforms=$(docker buildx inspect 2>/dev/null | grep Platforms: | cut -d: -f2 | tr -d ' *' | tr '\\n' ',' || true)
  case ,$platforms in
    , | *",$PLATFORM,"*) ;;
    *) fail "The builder of this machine makes no images for $PLATFORM, only for \${platforms%,}." "Let it run programs for $PLATFORM (https://docs.docker.com/build/building/multi-platform/#qemu), choose another builder (docker buildx use), or build on a machine with that processor." ;;
  esac
  DOCKER_CONTEXT=$(docker context show)
  mkdir "$work/docker" "$work/bin"
  for each in "\${DOCKER_CONFIG:-$HOME/.docker}"/*; do
    case $each in */config.json | */'*') ;; *) ln -s "$each" "$work/docker/" ;; esac
  done
  cat >"$work/bin/docker-credential-provision" <<'END'
#!/bin/sh
set -eu
[ "$1" = get ] || exit 1
token=$(aws ecr get-login-password --region "$region")
printf '{"ServerURL":"%s","Username":"AWS","Secret":"%s"}' "$registry" "$token"
END
  chmod 700 "$work/bin/docker-credential-provision"
  printf '{"credHelpers":{"%s":"provision"}}' "$registry" >"$work/docker/config.json"
  DOCKER_CONFIG=$work/docker
  PATH=$work/bin:$PATH
  export DOCKER_CONTEXT DOCKER_CONFIG PATH
  failed=
  # Without the attestations, a list of images would take the image's place.
  docker buildx build --platform "$PLATFORM" --provenance=false --sbom=false --progress=plain \\
    \${BASE_IMAGE:+--build-arg "BASE_IMAGE=$BASE_IMAGE"} --tag "$REPOSITORY:$TAG" --push . >&2 || failed=yes
  # What the repository has counts: another deployment may have been faster, and a tag there cannot be written twice.
  digest=$(find_image)
  [ -n "$digest" ] || [ -z "$failed" ] ||
    fail "The runner's image could not be built and pushed; the reason is above." "For an 'exec format error', let this machine run programs for $PLATFORM (https://docs.docker.com/build/building/multi-platform/#qemu), or set provision:aws.architecture to its own."
fi
printf %s "$digest"`;

/**
 * A tag that stands for what an image is built from: the Dockerfile, the files of this project that go into the image, the
 * lock file among them, and the build's own choices. It is the same on every machine, and another as soon as anything of it
 * changes. It ends with the processor's name, which ECR itself does not show.
 *
 * @param source this project's folder
 * @param choices whatever else decides what is built: the platform, the base image
 */
export function contentTag(
  source: string,
  choices: { readonly platform: string; readonly baseImage?: string },
): string {
  const own = ["Dockerfile", ".dockerignore"].map((name) => [name, readFileSync(join(source, name), "utf8")]);
  const content = JSON.stringify([own, Object.entries(runnerFiles(source)), Object.entries(choices).sort()]);
  return `content-${createHash("sha256").update(content).digest("hex").slice(0, 40)}${tagEnd(choices.platform)}`;
}

/** What tags of images for a platform end with. */
export function tagEnd(platform: string): string {
  return platform.replace(/^linux\//, "-");
}
