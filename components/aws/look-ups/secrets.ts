import * as aws from "@pulumi/aws";
import { jobSecrets, type JobSettings } from "../../../providers/config.ts";
import type { Questions } from "./questions.ts";

/** How many names Secrets Manager takes in one filter. */
const NAMES = 10;

/** The parts of a secret's ARN that matter here. */
interface Named {
  readonly arn: string;
  readonly region: string;
  readonly account: string;
  /** Its name, perhaps with the six characters that Secrets Manager added. */
  readonly name: string;
}

/** Whether the existing secrets and parameters exist that jobs refer to. Those of other accounts cannot be listed: each is asked for. */
export async function lookUpSecrets(
  questions: Questions,
  jobs: readonly JobSettings[],
  account: string | undefined,
): Promise<void> {
  const refs = jobs.flatMap((job) => jobSecrets(job).map(({ ref }) => ref));
  const arns = [...new Set(refs.flatMap((ref) => ("arn" in ref ? [ref.arn] : [])))].sort();
  const secrets = account === undefined ? [] : arns.map(parse);
  const byRegion = Map.groupBy(
    secrets.filter((secret) => secret.account === account),
    ({ region }) => region,
  );
  const parameters = new Set(refs.flatMap((ref) => ("ssm" in ref ? [ref.ssm] : [])));
  await Promise.all([
    ...[...byRegion].map(([region, own]) => lookUpIn(questions, region, own)),
    ...secrets.filter((secret) => secret.account !== account).map((secret) => lookUpForeign(questions, secret)),
    ...[...parameters].map((name) => lookUpParameter(questions, name)),
  ]);
}

/** Each is asked for where its ARN says, or in the stack's region: Systems Manager has no question that lists some of them. */
async function lookUpParameter(questions: Questions, name: string): Promise<void> {
  const [, , , region = questions.region] = name.startsWith("arn:") ? name.split(":") : [];
  // A preview has no use for the value, which stays encrypted.
  await questions.ask(`the parameter ${name}`, () =>
    aws.ssm.getParameter({ name, region, withDecryption: false }, questions.opts),
  );
}

async function lookUpForeign(questions: Questions, { arn, region, account, name }: Named): Promise<void> {
  await questions.ask(`the secret ${name} of the account ${account}`, () =>
    aws.secretsmanager.getSecret({ arn, region }, questions.opts),
  );
}

async function lookUpIn(questions: Questions, region: string, secrets: readonly Named[]): Promise<void> {
  const chunks = Array.from({ length: Math.ceil(secrets.length / NAMES) }, (_, index) =>
    secrets.slice(index * NAMES, (index + 1) * NAMES),
  );
  await Promise.all(
    chunks.map(async (chunk) => {
      // A name of the filter is the beginning of those that are found.
      const values = chunk.map(({ name }) => name.replace(/-\w{6}$/, ""));
      const filters = [{ name: "name", values }];
      const found = await questions.ask(
        `the secrets ${chunk.map(({ name }) => name).join(", ")}`,
        async () => (await aws.secretsmanager.getSecrets({ region, filters }, questions.opts)).arns,
      );
      for (const { arn, name } of chunk) {
        if (found === undefined || found.some((other) => other === arn || isWithEnding(other, arn))) continue;
        questions.warn(
          `The secret ${name} (${arn}) does not exist in ${region} of this account; no task of its jobs starts without it.`,
        );
      }
    }),
  );
}

/** Whether an ARN is another one with the six characters that Secrets Manager adds. */
function isWithEnding(arn: string, other: string): boolean {
  return arn.startsWith(`${other}-`) && /^-\w{6}$/.test(arn.slice(other.length));
}

/** The reference may end with a JSON key, a stage and a version, which are no part of the secret's ARN. */
function parse(reference: string): Named {
  const parts = reference.split(":").slice(0, 7);
  const [, , , region = "", account = "", , name = ""] = parts;
  return { arn: parts.join(":"), region, account, name };
}
