import { relative } from "node:path";
import * as aws from "@pulumi/aws";
import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { buildScript, contentTag } from "./backup-image/build-script.ts";
import { imageReferenceProblem, repositoryArnOf } from "./backup-image/image-reference.ts";
import { platformOf, type Architecture } from "./backup-image/platform.ts";

/** Days after which an image without a tag is removed. */
const UNTAGGED_DAYS = 14;

/** How the image is built where no finished one is named. */
export interface BackupImageBuild {
  /** This project's folder. */
  readonly source: string;
  /** The processor that the image is made for. Another one than this machine's needs QEMU's binfmt handlers here. */
  readonly architecture: Architecture;
  /**
   * ARN of a key that encrypts the repository, lives as long as its images and lets ECR make grants; another one replaces the
   * repository. Default: ECR's own key of the account.
   */
  readonly keyArn?: pulumi.Input<string>;
  /** The Debian to build on, best with its digest: `debian:trixie-slim@sha256:…`. Default: the Dockerfile's. */
  readonly baseImage?: string;
  /** The AWS CLI's profile that the image is pushed with. Default: the default provider's (`aws:profile`), else what the environment says. */
  readonly profile?: string;
  /**
   * How many images the repository keeps, the oldest go. It must outlast the way of a digest to the last stack that runs it: a
   * task whose image is gone does not start. Default 50.
   */
  readonly keepImages?: number;
}

export interface CommonArgs {
  /** The stack's name: part of the repository's. */
  readonly stack: string;
  /** Tags of the repository. */
  readonly tags?: pulumi.Input<Readonly<Record<string, string>>> | undefined;
}

export interface FinishedImage {
  /**
   * A finished image by its digest, `registry/repository@sha256:…`, built by CI and promoted from stack to stack. As plain text a
   * wrong one ends the preview; an output is checked once it is known.
   */
  readonly image: pulumi.Input<string>;
  readonly build?: undefined;
}

export interface ImageToBuild {
  readonly image?: undefined;
  /** How to build the image. */
  readonly build: BackupImageBuild;
}

/** Arguments of {@link BackupImage}: an image, or how to build one. */
export type BackupImageArgs = CommonArgs & (FinishedImage | ImageToBuild);

/**
 * The runner's image: a finished one by its digest, or one that the deployment builds and pushes to an ECR repository of its own.
 * A preview needs neither Docker nor the AWS CLI.
 *
 * - The image's tag, which is immutable, is the hash of what it is built from. Nothing is built if the repository has the tag.
 * - Other stacks may run the image. So nothing removes it, `pulumi destroy` leaves the repository (`aws ecr delete-repository
 *   --force` removes it), and the images have ECR's own key of the account (`aws/ecr`), which outlives the stack's.
 *
 * Children have the names `<name>-<stack>` and `<name>-<stack>-…`. One that gets another name later keeps an entry in `aliases`.
 */
export class BackupImage extends pulumi.ComponentResource {
  /** The image with its digest: `registry/repository@sha256:…`. */
  readonly ref: pulumi.Output<string>;
  /** ARN of the image's repository; undefined where that is not one of Amazon ECR, or the image is an output. */
  readonly repositoryArn: pulumi.Output<string> | undefined;

  /** @throws {pulumi.RunError} where `image` does not name its digest */
  constructor(name: string, args: BackupImageArgs, opts?: pulumi.ComponentResourceOptions) {
    const { image, build } = args;
    if (typeof image === "string") checkImage(image);
    super("provision:aws:BackupImage", name, {}, opts);
    if (image !== undefined) {
      const arn = typeof image === "string" ? repositoryArnOf(image) : undefined;
      this.ref = pulumi.output(image).apply(checkImage);
      this.repositoryArn = arn === undefined ? undefined : pulumi.output(arn);
    } else {
      const repository = this.#makeRepository(`${name}-${args.stack}`, build, args);
      const digest = this.#build(`${name}-${args.stack}`, repository, build);
      this.ref = pulumi.interpolate`${repository.repositoryUrl}@${digest}`;
      this.repositoryArn = repository.arn;
    }
    this.registerOutputs({ ref: this.ref, repositoryArn: this.repositoryArn });
  }

  #makeRepository(name: string, build: BackupImageBuild, { tags }: CommonArgs): aws.ecr.Repository {
    const repository = new aws.ecr.Repository(
      // ECR takes lower case alone, and no two separators in a row. The name gets Pulumi's random ending.
      name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-"),
      {
        imageTagMutability: "IMMUTABLE",
        imageScanningConfiguration: { scanOnPush: true },
        encryptionConfigurations: [
          { encryptionType: "KMS", ...(build.keyArn !== undefined && { kmsKey: build.keyArn }) },
        ],
        forceDelete: false,
        tags,
      },
      { parent: this, retainOnDelete: true },
    );
    const untagged = {
      tagStatus: "untagged",
      countType: "sinceImagePushed",
      countUnit: "days",
      countNumber: UNTAGGED_DAYS,
    };
    const any = { tagStatus: "any", countType: "imageCountMoreThan", countNumber: build.keepImages ?? 50 };
    new aws.ecr.LifecyclePolicy(
      `${name}-lifecycle`,
      {
        repository: repository.name,
        policy: JSON.stringify({
          rules: [
            { rulePriority: 1, description: "Images without a tag", selection: untagged, action: { type: "expire" } },
            { rulePriority: 2, description: "The oldest images", selection: any, action: { type: "expire" } },
          ],
        }),
      },
      { parent: this, retainOnDelete: true },
    );
    return repository;
  }

  /** The digest of the image that the repository has afterwards. */
  #build(
    name: string,
    repository: aws.ecr.Repository,
    { source, architecture, baseImage, profile = aws.config.profile }: BackupImageBuild,
  ): pulumi.Output<string> {
    const platform = platformOf(architecture);
    const choices = { platform, ...(baseImage !== undefined && { baseImage }) };
    // Seen from the folder in which the engine runs the program and the plugin too: its path differs from machine to machine.
    const dir = relative(process.cwd(), source);
    const command = new local.Command(
      `${name}-build`,
      {
        create: buildScript,
        ...(dir !== "" && { dir }),
        environment: {
          REPOSITORY: repository.repositoryUrl,
          TAG: contentTag(source, choices),
          PLATFORM: platform,
          ...(baseImage !== undefined && { BASE_IMAGE: baseImage }),
          ...(profile !== undefined && { AWS_PROFILE: profile }),
        },
        // Docker and the AWS CLI print what they like; it must get neither into the log nor, in plain, into the state.
        logging: local.Logging.None,
        addPreviousOutputInEnv: false,
      },
      { parent: this, additionalSecretOutputs: ["stdout", "stderr"] },
    );
    return pulumi.unsecret(command.stdout).apply((stdout) => {
      if (/^sha256:[0-9a-f]{64}$/.test(stdout)) return stdout;
      throw new pulumi.RunError(
        `The build of the runner's image gave no digest (sha256:…) but ${stdout.length} other characters. ` +
          "Run the deployment again; if that does not help, set provision:aws.image to an image that is built elsewhere.",
      );
    });
  }
}

function checkImage(image: string): string {
  const problem = imageReferenceProblem(image);
  if (problem !== undefined) throw new pulumi.RunError(`The runner's image: ${problem}`);
  return image;
}
