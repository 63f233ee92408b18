import type { ResourceValidationPolicy } from "@pulumi/policy";
import { at, known, SCHEDULE, TASK_DEFINITION } from "./stack.ts";

/** What secrets look like. */
const SECRETS: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["a URL with a password", /\b[a-z][a-z0-9+]*:\/\/[^\s:/@"\\]+:[^\s/@"\\]+@/i],
  ["a private key", /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  ["a private key of age", /\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b/i],
  ["an access key of AWS", /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/],
  ["a signed token", /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/],
  ["a token of Supabase", /\bsb(?:p|_secret)_[\w-]{20,}/],
];

/** What is readable for everybody who may describe a task, a schedule, a function or a parameter. */
const READABLE: Readonly<Record<string, readonly string[]>> = {
  [TASK_DEFINITION]: ["containerDefinitions"],
  [SCHEDULE]: ["target.input"],
  "aws:lambda/function:Function": ["environment"],
  "aws:ssm/parameter:Parameter": ["insecureValue", "description"],
  "aws:secretsmanager/secret:Secret": ["description"],
  "aws:cloudwatch/eventTarget:EventTarget": ["input"],
};

/** Secrets belong into Secrets Manager, from which ECS reads them by name. */
export const noPlainSecret: ResourceValidationPolicy = {
  name: "no-plain-secret",
  description: "No secret stands in what everybody reads who may describe a task or a schedule.",
  validateResource: ({ type, name, props }, report) => {
    for (const argument of READABLE[type] ?? []) {
      // What is not known in a preview comes from another resource; `up` checks it.
      const value = known(() => at(props, argument));
      if (value === undefined) continue;
      const text = (typeof value === "string" ? value : JSON.stringify(value)).replaceAll('\\"', '"');
      const found = SECRETS.find(([, pattern]) => pattern.test(text));
      if (found === undefined) continue;
      // The value stays out of the message: it would be in every log.
      report(
        `${argument} of ${name} holds ${found[0]} in plain. Put it into Secrets Manager and name it in secrets ` +
          "(Provision: pulumi config set --secret --path 'provision:secrets.NAME', and { secret: NAME } in the job). Then change it: it was readable.",
      );
    }
  },
};
