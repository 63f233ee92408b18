import { resolve } from "node:path";
import { z } from "zod";
import { JobConfig, JobSettings } from "../../../providers/config.ts";
import { databaseProviders } from "../../../providers/database/index.ts";
import { inYaml } from "../../../providers/explain/sample.ts";
import { jobFolder } from "../../../providers/layout.ts";
import {
  folderOf,
  isFolder,
  STACK_BUCKET_KIND,
  StorageConfig,
  storageProviders,
} from "../../../providers/storage/index.ts";
import { readAnswer } from "./answer.ts";
import type { Prompt } from "./prompt.ts";
import {
  askChecked,
  askField,
  askRest,
  checkDatabase,
  checkStore,
  refuseTaken,
  requireRight,
  writeIdentity,
  writeNew,
} from "./questions.ts";

/** What a person has been led to. */
export interface PreparedStack {
  readonly file: string;
  /** The file with the private key, where the job encrypts. */
  readonly identity: string | undefined;
  /** The names of the secrets that the stack needs. */
  readonly secrets: readonly string[];
}

/** Where the jobs of a stack run. */
const TARGETS = new Map([
  ["host", "A Linux machine: this one, or one that is reached over SSH."],
  ["aws", "Tasks of AWS Fargate, with a bucket of the stack's own."],
]);

const Region = z
  .string()
  .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, { error: "expected the code of a region, like eu-central-1" });

/**
 * Asks a person for a stack with one job, checks each answer at once, and writes the stack's configuration and the private key into
 * this folder. Secrets are named there, and only checked: Pulumi keeps them.
 *
 * @throws ProviderError `CONFIG` where the name is none, or a file is there already; `ABORTED` where the questions were not answered
 */
export async function initStack(prompt: Prompt, named: string, signal: AbortSignal): Promise<PreparedStack> {
  const stack = readAnswer(JobConfig.shape.stack, named, `--stack ${JSON.stringify(named)}: `);
  const [file, identity] = [`Pulumi.${stack}.yaml`, `${stack}.identity`];
  refuseTaken([file, identity], "Name another stack: provision init --stack NAME.");
  const target = await prompt.choose("Where the backups run", TARGETS);
  const region = target === "aws" ? await askRegion(prompt) : undefined;
  const name = await askField(prompt, "name", "Name of the job", "app");
  const database = await askChecked(prompt, "database", databaseProviders, (described) =>
    checkDatabase(described, jobFolder({ stack, name }), signal),
  );
  const store =
    region === undefined
      ? await askChecked(prompt, "store", storageProviders, async function* (described) {
          // `pulumi up` makes the stack's own folder.
          if (!isOwnFolder(described.config)) yield* checkStore(described, { stack, name }, signal);
        })
      : { config: { kind: STACK_BUCKET_KIND }, secrets: {} };
  const { schedule, retention, key } = await askRest(prompt, database);
  const job = {
    ...{ name, schedule, database: database.config, destinations: [store.config] },
    ...(key && { encryption: { recipients: [key.recipient] } }),
    retention,
  };
  requireRight(JobSettings, job);
  if (key) await writeIdentity(identity, key);
  await writeNew(file, inText(job, region));
  const secrets = Object.keys({ ...database.secrets, ...store.secrets });
  return { file: resolve(file), identity: key && resolve(identity), secrets };
}

function askRegion(prompt: Prompt): Promise<string> {
  return prompt.ask({
    text: "Region of AWS",
    otherwise: process.env.AWS_REGION ?? "eu-central-1",
    read: (answer) => readAnswer(Region, answer, `${JSON.stringify(answer)}: `),
  });
}

function isOwnFolder(config: object): boolean {
  const { success, data } = StorageConfig.safeParse(config);
  return success && isFolder(data) && folderOf(data) === undefined;
}

/** The stack's file, with a line for each field of the job. */
function inText(job: object, region: string | undefined): string {
  const [first = "", ...others] = Object.entries(job).map(([field, value]) => `${field}: ${inYaml(value)}`);
  const target =
    region === undefined
      ? ["  provision:target: host"]
      : [
          `  aws:region: ${region}`,
          "  provision:target: aws",
          "  provision:aws:",
          "    build: {} # `pulumi up` builds the runner's image with Docker; `image` names one by its digest",
        ];
  return `${["config:", ...target, "  provision:jobs:", `    - ${first}`, ...others.map((line) => `      ${line}`)].join("\n")}\n`;
}
