import * as pulumi from "@pulumi/pulumi";

/** Characters of a reason that are enough to see what AWS refused. */
const REASON = 300;

/**
 * What AWS answers about a network, without which nothing is deployed. Where it does not answer, the error is one that Pulumi prints
 * without a stack trace.
 *
 * @param what what is asked about, for instance `the VPC vpc-1`
 * @throws RunError where AWS does not answer
 */
export async function answerOf<T>(what: string, question: Promise<T>): Promise<T> {
  try {
    return await question;
  } catch (error) {
    throw new pulumi.RunError(
      `AWS says nothing of ${what}. Check the settings of the network, the account and the region, and that these credentials may ` +
        `call ec2:Describe*. The reason: ${reasonOf(error)}`,
    );
  }
}

/** Why AWS did not answer, on one line and without a stack trace. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const lines = text.split("\n").filter((line) => !/^\s+at /.test(line));
  const reason = lines.join(" ").replaceAll(/\s+/g, " ").trim();
  if (reason === "") return "none was given";
  return reason.length > REASON ? `${reason.slice(0, REASON)} …` : reason;
}
