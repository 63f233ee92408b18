import * as pulumi from "@pulumi/pulumi";

/** How large a task is. */
export interface TaskSize {
  /** CPU units, 1024 of which are one CPU. Default 1024. */
  readonly cpu?: number | undefined;
  /** Memory in MiB. Default 2048; a run needs less than 512 beside what a parallel restore takes. */
  readonly memory?: number | undefined;
  /** Scratch space in GiB, 21 to 200. Default: Fargate's own 20 GiB, which cost nothing and which the image shares. */
  readonly scratchGiB?: number | undefined;
}

/** The memory in MiB that Fargate has for each number of CPU units: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size */
export const fargateMemories: ReadonlyMap<number, readonly number[]> = new Map([
  [256, [512, 1024, 2048]],
  [512, steps(1024, 4096, 1024)],
  [1024, steps(2048, 8192, 1024)],
  [2048, steps(4096, 16_384, 1024)],
  [4096, steps(8192, 30_720, 1024)],
  [8192, steps(16_384, 61_440, 4096)],
  [16_384, steps(32_768, 122_880, 8192)],
]);

/** Fargate's bounds of the scratch space in GiB, where it is more than comes with every task. */
const SCRATCH = { min: 21, max: 200 };

/** A size with its defaults. Throws `RunError` that lists the valid ones where Fargate has no such size. */
export function taskSize(job: string, { cpu = 1024, memory = 2048, scratchGiB }: TaskSize = {}) {
  const valid = fargateMemories.get(cpu);
  if (valid === undefined) {
    const all = [...fargateMemories.keys()].join(", ");
    throw new pulumi.RunError(`The job ${job} asks for ${cpu} CPU units; Fargate has ${all}.`);
  }
  if (!valid.includes(memory)) {
    throw new pulumi.RunError(
      `The job ${job} asks for ${memory} MiB with ${cpu} CPU units; Fargate has ${valid.join(", ")} with them.`,
    );
  }
  if (
    scratchGiB !== undefined &&
    !(Number.isInteger(scratchGiB) && scratchGiB >= SCRATCH.min && scratchGiB <= SCRATCH.max)
  ) {
    throw new pulumi.RunError(
      `The job ${job} asks for ${scratchGiB} GiB of scratch space; Fargate has ${SCRATCH.min} to ${SCRATCH.max}. ` +
        "Leave scratchGiB out for the 20 that every task has.",
    );
  }
  return { cpu, memory, scratchGiB };
}

function steps(from: number, to: number, step: number): number[] {
  return Array.from({ length: (to - from) / step + 1 }, (_, index) => from + index * step);
}
