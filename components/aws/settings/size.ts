import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { explain } from "../../../providers/config.ts";

/** The memory in MiB that Fargate has for each number of CPU units: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size */
const memories: ReadonlyMap<number, readonly number[]> = new Map([
  [256, [512, 1024, 2048]],
  [512, steps(1024, 4096, 1024)],
  [1024, steps(2048, 8192, 1024)],
  [2048, steps(4096, 16_384, 1024)],
  [4096, steps(8192, 30_720, 1024)],
  [8192, steps(16_384, 61_440, 4096)],
  [16_384, steps(32_768, 122_880, 8192)],
]);

/** What a task of a job gets from Fargate, field by field. */
export const SizeFields = {
  cpu: z
    .int()
    .refine((cpu) => memories.has(cpu), { error: `expected one of ${[...memories.keys()].join(", ")}` })
    .describe("CPU units, 1024 for one vCPU.")
    .meta({ examples: [1_024] }),
  memory: z
    .int()
    .min(512)
    .max(122_880)
    .describe("Memory in MiB. A run needs less than 300 whatever the database weighs.")
    .meta({ examples: [2_048] }),
  scratchGiB: z
    .int()
    .min(21)
    .max(200)
    .optional()
    .describe(
      "Scratch space in GiB, 21 to 200, for `restore --jobs` and for a database with `jobs`; other backups need none. Default: the 20 GiB that every task has for free.",
    )
    .meta({ examples: [50] }),
};

/** The size of every job that has none of its own. */
export const Size = z
  .strictObject({ ...SizeFields, cpu: SizeFields.cpu.default(1_024), memory: SizeFields.memory.default(2_048) })
  .describe("The size of the tasks. Default: 1024 CPU units, which are one vCPU, and 2048 MiB.");

/** A size with its defaults. */
export type Size = z.output<typeof Size>;

/** Why Fargate does not offer a size, and the next memory that it does offer; undefined where it offers the size. */
export function sizeProblem({ cpu, memory }: Size): { readonly message: string; readonly memory: number } | undefined {
  const offered = memories.get(cpu) ?? [];
  if (offered.includes(memory)) return undefined;
  const [least = 0, second = 0] = offered;
  const most = offered.at(-1) ?? 0;
  const choice = offered.length < 5 ? offered.join(", ") : `${least} to ${most} in steps of ${second - least}`;
  const message = `Fargate has no ${memory} MiB of memory with ${cpu} CPU units; it has ${choice}`;
  return { message, memory: offered.find((each) => each > memory) ?? (most || memory) };
}

/** The size of a job's tasks with its defaults. Throws `RunError` where Fargate does not offer it. */
export function taskSize(job: string, size: z.input<typeof Size> = {}): Size {
  const path = `sizes.${job}`;
  const result = Size.safeParse(size);
  if (!result.success) {
    const problems = explain(result.error, Size, size, path);
    throw new pulumi.RunError(problems.map((problem) => `${problem.path}: ${problem.message}.`).join("\n"));
  }
  const problem = sizeProblem(result.data);
  if (problem !== undefined) throw new pulumi.RunError(`${path}: ${problem.message}.`);
  return result.data;
}

function steps(from: number, to: number, step: number): number[] {
  return Array.from({ length: (to - from) / step + 1 }, (_, index) => from + index * step);
}
