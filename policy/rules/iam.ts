import type { ResourceValidationPolicy } from "@pulumi/policy";
import { known } from "./stack.ts";

/** Where policies stand, by the type of the resource. */
const POLICIES: Readonly<Record<string, string>> = {
  "aws:iam/rolePolicy:RolePolicy": "policy",
  "aws:iam/policy:Policy": "policy",
  "aws:iam/userPolicy:UserPolicy": "policy",
  "aws:iam/groupPolicy:GroupPolicy": "policy",
};

/** Actions that IAM knows for all resources only, and that tell or harm nothing. */
const ON_ALL = ["ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"];

interface Document {
  readonly Statement: Statement | readonly Statement[];
}

interface Statement {
  readonly Effect?: string;
  readonly Action?: string | readonly string[];
  readonly NotAction?: unknown;
  readonly Resource?: string | readonly string[];
  readonly NotResource?: unknown;
}

/** A role may do what it is for. */
export const noWildcard: ResourceValidationPolicy = {
  name: "no-wildcard",
  description:
    "No policy of a role allows all actions of a service, or an action on all resources but for those that `onAll` names.",
  configSchema: {
    properties: {
      onAll: {
        type: "array",
        items: { type: "string" },
        default: ON_ALL,
        description: `Actions that may be allowed on all resources. Default: ${ON_ALL.join(", ")}.`,
      },
    },
  },
  validateResource: (args, report) => {
    const argument = POLICIES[args.type];
    if (argument === undefined) return;
    const { onAll = ON_ALL } = args.getConfig<{ onAll?: string[] }>();
    // Where a policy names what does not exist yet, a preview does not know it; `up` checks it before it is made.
    const document = known(() => JSON.parse(String(args.props[argument])) as Document);
    for (const statement of list(document?.Statement)) {
      if (statement.Effect !== "Allow") continue;
      const actions = list(statement.Action);
      const wide = actions.filter((action) => /^(\*|[\w-]+:\*)$/.test(action));
      if (wide.length > 0 || statement.NotAction !== undefined) {
        const what = statement.NotAction === undefined ? wide.join(", ") : "everything but NotAction";
        report(`The policy ${args.name} allows ${what}. Name the actions that the role needs.`);
      }
      const all = list(statement.Resource).filter((resource) =>
        /^(\*|arn:[\w*-]+:[\w*-]+:[^:]*:[^:]*:\*+)$/.test(resource),
      );
      const narrow = actions.every((action) => onAll.includes(action));
      if ((all.length > 0 && !narrow) || statement.NotResource !== undefined) {
        const what = statement.NotResource === undefined ? all.join(", ") : "all resources but NotResource";
        report(
          `The policy ${args.name} allows ${actions.join(", ")} on ${what}. Name the resources, or the actions in onAll where AWS knows them for all only.`,
        );
      }
    }
  },
};

function list<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
