import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startProvision, type Ended } from "../../helpers/sandbox.ts";
import { TemporaryFolder } from "../../helpers/script.ts";
import { awsCall } from "./call.ts";

/** A container as a task definition has it, as far as it is used. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command: string[];
  readonly environment: { readonly name: string; readonly value: string }[];
  readonly secrets: { readonly name: string; readonly valueFrom: string }[];
}

/** What a schedule or a person changes about a container. */
export interface Overrides {
  readonly command?: string[];
  readonly environment?: { readonly name: string; readonly value: string }[];
}

/** The only container of a registered task definition. */
export async function registeredContainer(url: string, taskDefinition: string, region?: string): Promise<Container> {
  const { taskDefinition: found } = await awsCall<{ taskDefinition: { containerDefinitions: Container[] } }>(
    url,
    "ecs",
    {
      target: "AmazonEC2ContainerServiceV20141113.DescribeTaskDefinition",
      body: { taskDefinition },
    },
    region,
  );
  const [only, ...others] = found.containerDefinitions;
  if (only === undefined || others.length > 0) throw new Error(`${taskDefinition} has no container, or several`);
  return only;
}

/** A secret's current value. */
export async function secretValue(url: string, arn: string): Promise<string> {
  const request = { target: "secretsmanager.GetSecretValue", body: { SecretId: arn } };
  const { SecretString } = await awsCall<{ SecretString: string }>(url, "secretsmanager", request, arn.split(":")[3]);
  return SecretString;
}

/**
 * Starts the runner as ECS would start the task: with the command and the environment of the registered task definition, the
 * secrets from Secrets Manager under the names that it gives them, the overrides, and what Fargate adds by itself: a region
 * and credentials. Beyond that only the address of the stand-in is added, which the SDK takes from a variable too.
 */
export async function runTask(
  url: string,
  taskDefinition: string,
  overrides: Overrides = {},
  region = "us-east-1",
): Promise<Ended> {
  const container = await registeredContainer(url, taskDefinition, region);
  const secrets = await Promise.all(
    container.secrets.map(async ({ name, valueFrom }) => [name, await secretValue(url, valueFrom)] as const),
  );
  const folder = new TemporaryFolder();
  const scratch = join(folder.path, "scratch");
  mkdirSync(scratch);
  try {
    const { ended } = startProvision(overrides.command ?? container.command, {
      ...Object.fromEntries(
        [...container.environment, ...(overrides.environment ?? [])].map(({ name, value }) => [name, value]),
      ),
      ...Object.fromEntries(secrets),
      // What the image has: the clients on PATH, and the only folder that can be written to.
      PATH: process.env.PATH ?? "",
      HOME: scratch,
      TMPDIR: scratch,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_ENDPOINT_URL_S3: url,
    });
    return await ended;
  } finally {
    folder.remove();
  }
}
