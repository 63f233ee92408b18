import * as pulumi from "@pulumi/pulumi";

/** Characters for ARNs of roles in one policy: a secret's policy holds 20,480 in all, and a key's 32,768. */
const ROOM = 14_000;

/** The tag of what a stack makes, which says whose it is: {@link ownerOf}. */
export const OWNER_TAG = "provision:owner";

/** The roles that a stack has made itself, however many: they bear a tag, and their ARNs begin alike. */
export interface OwnRoles {
  /** The key and the value of the tag. */
  readonly tag: readonly [key: string, value: string];
  /** ARN patterns that all of them match. Without the tag, a role that matches one is none of them. */
  readonly arns: readonly string[];
}

/** The roles of a stack in a policy. */
export interface RolesInPolicy {
  /** ARNs of roles that existed before. */
  readonly named: readonly string[];
  readonly own: OwnRoles;
}

/**
 * Returns who owns what a component makes: `<project>/<stack>/<component>`. Two projects of one account may name their
 * stacks and jobs alike.
 */
export function ownerOf(stack: string, component: string): string {
  return `${pulumi.getProject()}/${stack}/${component}`;
}

/** Returns the key of the tag of roles that read a secret of the stack; its value is the owner's. */
export function readsTag(secret: string): string {
  return `provision:reads:${secret}`;
}

/**
 * Patterns of `aws:PrincipalArn` for the identity that a caller's ARN names. The ARN of a role's session lacks the role's path,
 * so a role is named with and without one; no other role of the account has its name.
 *
 * @param callerArn as `sts:GetCallerIdentity` gives it: of a user, a role's session or the account
 */
export function principalsOf(callerArn: string): string[] {
  const match = /^arn:([\w-]+):sts::(\d{12}):assumed-role\/([^/]+)\//.exec(callerArn);
  if (match === null) return [callerArn];
  const [, partition = "", account = "", role = ""] = match;
  const roles = `arn:${partition}:iam::${account}:role`;
  return [`${roles}/${role}`, `${roles}/*/${role}`];
}

/**
 * Returns the roles of a stack for a policy that has the same size for one job and for 500: those that it made by their tag, and those that
 * existed before by their ARNs, since they stay as they are.
 *
 * @throws RunError where those that existed are too many for a policy: no pattern stands for them, as it would match a stranger's role
 */
export function rolesInPolicy(
  made: readonly string[],
  existing: readonly string[],
  tag: OwnRoles["tag"],
): RolesInPolicy {
  const named = [...new Set(existing)].sort();
  const length = named.join('","').length;
  if (length > ROOM) {
    throw new pulumi.RunError(
      `provision:aws.roles names ${named.length} roles, whose ARNs have ${length} characters. The policy of a key or a secret has room for ` +
        `${ROOM}. Give several jobs the same roles, or leave their roles to the stack.`,
    );
  }
  return { named, own: { tag, arns: commonStart(made.toSorted()) } };
}

/** Returns the pattern of what all of some sorted ARNs begin with. */
function commonStart(arns: readonly string[]): string[] {
  const [first, last] = [arns[0], arns.at(-1)];
  if (first === undefined || last === undefined) return [];
  let shared = 0;
  // Of a sorted list, the first and the last differ the soonest.
  while (shared < first.length && first[shared] === last[shared]) shared += 1;
  return [`${first.slice(0, shared)}*`];
}
