import type { Problem } from "../../../providers/config.ts";
import type { AwsSettings } from "../settings.ts";

const PATH = "provision:aws.alarms";

/** Whether alarms can be told, each person once, and give a start the time that the schedules give it. */
export function checkAlarms({ alarms, schedules }: AwsSettings, region: string | undefined): Problem[] {
  const { emails, topicArn, graceHours } = alarms;
  const problems = emails.flatMap((email, index): Problem[] => {
    const first = emails.findIndex((other) => other.toLowerCase() === email.toLowerCase());
    if (first === index) return [];
    const path = `${PATH}.emails[${index}]`;
    const message = `${email} is the same address as emails[${first}]; each gets every alarm once`;
    return [{ path, message, fix: `pulumi config rm --path '${path}'` }];
  });
  const topicRegion = topicArn?.split(":")[3];
  if (topicRegion !== undefined && region !== undefined && topicRegion !== region) {
    problems.push({
      path: `${PATH}.topicArn`,
      message: `the topic is in ${topicRegion}, and CloudWatch tells only topics of its own region, ${region}`,
      fix: `Name one of ${region}, or let the stack make one: pulumi config rm --path '${PATH}.topicArn'`,
    });
  }
  const flexibleHours = schedules.flexibleMinutes / 60;
  if (flexibleHours >= graceHours) {
    problems.push({
      path: `${PATH}.graceHours`,
      message: `a start may be ${schedules.flexibleMinutes} minutes late (schedules.flexibleMinutes), which is not less than the ${graceHours} hours that a backup may be late`,
      fix: `pulumi config set --path '${PATH}.graceHours' ${Math.ceil(flexibleHours) + 3}`,
    });
  }
  return problems;
}
