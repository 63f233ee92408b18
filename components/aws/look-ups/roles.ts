import * as aws from "@pulumi/aws";
import { JOB_ROLES } from "../settings/roles.ts";
import type { AwsArgs } from "../settings.ts";
import { plain } from "./plain.ts";
import type { Questions } from "./questions.ts";

/** Whether the existing roles exist, in this account: ECS and the scheduler take no others. */
export async function lookUpRoles(
  questions: Questions,
  { roles: { scheduler, stateMachine, jobs = {}, ...all } }: Pick<AwsArgs, "roles">,
  account: string | undefined,
): Promise<void> {
  const named = [all, ...Object.values(jobs)].flatMap((roles) => JOB_ROLES.map((role) => roles[role]));
  const arns = new Set([scheduler, stateMachine, ...named].flatMap((arn) => plain(arn) ?? []));
  await Promise.all(
    [...arns].map(async (arn) => {
      const owner = ownerOf(arn);
      if (account !== undefined && owner !== account) {
        questions.warn(
          `roles: ${arn} is of the account ${owner}, and tasks of ${account} take roles of their own account alone.`,
        );
        return;
      }
      await askForRole(questions, arn);
    }),
  );
}

/** Whether the roles of those who may hold backups exist, as far as they are of this account: IAM lets no role trust one that does not. */
export async function lookUpHolders(
  questions: Questions,
  { holders = [] }: Pick<AwsArgs, "holders">,
  account: string | undefined,
): Promise<void> {
  const own = holders.filter((arn) => arn.includes(":role/") && ownerOf(arn) === account);
  await Promise.all([...new Set(own)].map((arn) => askForRole(questions, arn)));
}

/** The account that has a role. */
function ownerOf(arn: string): string {
  return arn.split(":")[4] ?? "";
}

async function askForRole(questions: Questions, arn: string): Promise<void> {
  const name = arn.split("/").at(-1) ?? "";
  await questions.ask(`the role ${name}`, () => aws.iam.getRole({ name }, questions.opts));
}
