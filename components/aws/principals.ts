/** Characters for the ARNs of a stack's roles in one policy: a secret's policy holds 20,480 in all, and a key's 32,768. */
const ROOM = 14_000;

/** Characters for each of two lists of ARNs in the policy of a role, which holds 10,240 in all. */
export const ROLE_ROOM = 4_000;

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
 * As {@link fitArns}, of several groups of roles, each with a beginning of its own: they share the room.
 */
export function fitGroups(...groups: readonly (readonly string[])[]): string[] {
  const some = groups.filter((arns) => arns.length > 0);
  return some.flatMap((arns) => fitArns(arns, ROOM / some.length));
}

/**
 * The ARNs of a stack's roles for a condition, each once. Where they are too many for a policy, which is some 150, the beginning
 * that all share stands for them with a `*` behind it: a role that shares it by chance still needs a policy of its own.
 *
 * @param room characters that they may have
 */
export function fitArns(arns: readonly string[], room = ROOM): string[] {
  const each = [...new Set(arns)].sort();
  if (each.join('","').length <= room) return each;
  // Of a sorted list, the first and the last differ the soonest.
  const [first = "", last = ""] = [each[0], each.at(-1)];
  let shared = 0;
  while (shared < first.length && first[shared] === last[shared]) shared += 1;
  return [`${first.slice(0, shared)}*`];
}
