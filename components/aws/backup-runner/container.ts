import type { JobConfig } from "../../../providers/config.ts";
import { JOB_VARIABLE } from "../../../providers/environment.ts";

/** The name of a task's only container, by which overrides find it. */
export const CONTAINER_NAME = "runner";

/** The user and group that the image makes for the runner. */
const USER = "10001:10001";

/** The folder that the image gives to that user: all that a task can write to. */
const SCRATCH = "/scratch";

/** Seconds that a task gets to end cleanly before it is killed: the most that Fargate grants. */
const STOP_SECONDS = 120;

/** Name of the volume that is mounted there. */
export const SCRATCH_VOLUME = "scratch";

/** What a container is made of. */
export interface ContainerSettings {
  /** The image by its digest. */
  readonly image: string;
  readonly command: readonly string[];
  readonly job: JobConfig;
  /** The secrets' ARNs, by the variable's name. */
  readonly secrets: readonly { readonly name: string; readonly valueFrom: string }[];
  readonly log: {
    readonly group: string;
    readonly region: string;
    readonly prefix: string;
  };
}

/**
 * The definition of a task's container as JSON: a user without privileges, a root file system that cannot be written to, and
 * no capability. What ECS would add by itself is there already, and in ECS's order: otherwise every `up` would see a change.
 */
export function containerDefinitions(settings: ContainerSettings): string {
  const { image, command, secrets, log } = settings;
  return JSON.stringify([
    {
      name: CONTAINER_NAME,
      image,
      cpu: 0,
      essential: true,
      command,
      user: USER,
      privileged: false,
      readonlyRootFilesystem: true,
      stopTimeout: STOP_SECONDS,
      linuxParameters: { initProcessEnabled: true, capabilities: { add: [], drop: ["ALL"] } },
      environment: [
        { name: JOB_VARIABLE, value: JSON.stringify(settings.job) },
        { name: "TMPDIR", value: SCRATCH },
      ],
      secrets,
      mountPoints: [{ sourceVolume: SCRATCH_VOLUME, containerPath: SCRATCH, readOnly: false }],
      volumesFrom: [],
      portMappings: [],
      systemControls: [],
      logConfiguration: {
        logDriver: "awslogs",
        options: {
          "awslogs-group": log.group,
          "awslogs-region": log.region,
          "awslogs-stream-prefix": log.prefix,
          // A log service that does not answer must not hold up a backup.
          mode: "non-blocking",
          "max-buffer-size": "25m",
        },
      },
    },
  ]);
}
