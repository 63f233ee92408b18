import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { PolicyStatement } from "../../providers/config.ts";
import { fitName } from "../fit-name.ts";

/** Characters that IAM allows in a role's name. */
const ROLE_NAME = 64;

/** What an account may ask of every role. */
export interface RoleLimits {
  /** ARN of the policy that bounds what the role can ever be allowed. Default: none. */
  readonly permissionsBoundary?: pulumi.Input<string> | undefined;
  /** IAM path of the role, for instance `/backups/`. Default `/`. */
  readonly rolePath?: pulumi.Input<string> | undefined;
}

/** What is the same for all roles that a service, or a person, takes alike. */
export interface RoleSettings extends RoleLimits {
  /** Who may take the role: for a service see {@link trustPolicy}. */
  readonly trust: pulumi.Output<string>;
  readonly tags?: pulumi.Input<Readonly<Record<string, pulumi.Input<string>>>> | undefined;
}

/** Arguments of {@link serviceRole}. */
interface ServiceRoleArgs extends RoleSettings {
  readonly description: string;
  readonly statements: pulumi.Output<readonly PolicyStatement[]>;
  /** ARN of a role that exists, which stays as it is. Default: one is made. */
  readonly existing?: pulumi.Input<string> | undefined;
}

/** What an existing role needs: policy documents as JSON. */
export interface RolePolicies {
  /** The trust policy: who may take the role, on behalf of what. */
  readonly trust: pulumi.Output<string>;
  /** A policy to attach: what may be done with it. */
  readonly permissions: pulumi.Output<string>;
}

/** A role that a service takes, or a person. */
export interface ServiceRole {
  readonly arn: pulumi.Output<string>;
  /** When it was made; undefined of an existing one. */
  readonly createDate: pulumi.Output<string> | undefined;
  /** What it needs; undefined of one that is made here, which has it. */
  readonly policies: RolePolicies | undefined;
}

/** The arguments of a role that keep it within the account's limits: every role of the stack has them. */
export function roleLimits({ permissionsBoundary, rolePath }: RoleLimits) {
  return { permissionsBoundary, path: rolePath };
}

/** The trust policy that lets one service take a role, on behalf of this account's resources alone (the confused deputy). */
export function trustPolicy({
  service,
  account,
  sourceArn,
}: {
  /** For instance `ecs-tasks.amazonaws.com`. */
  readonly service: string;
  /** The account's number. */
  readonly account: pulumi.Input<string>;
  /** The resources on whose behalf it may: an ARN, or a pattern. Whatever else asks the service to act is refused. */
  readonly sourceArn: pulumi.Input<string>;
}): pulumi.Output<string> {
  return pulumi.jsonStringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Service: service },
        Action: "sts:AssumeRole",
        Condition: {
          StringEquals: { "aws:SourceAccount": account },
          ArnLike: { "aws:SourceArn": sourceArn },
        },
      },
    ],
  });
}

/**
 * A role that a service can take, or a person, with one inline policy. Inline, because the policy belongs to this role alone.
 *
 * @param aliases the names that it had before
 */
export function serviceRole(
  name: string,
  args: ServiceRoleArgs,
  parent: pulumi.Resource,
  aliases: readonly { readonly name: string }[] = [],
): ServiceRole {
  const { trust } = args;
  const permissions = args.statements.apply((Statement) => JSON.stringify({ Version: "2012-10-17", Statement }));
  if (args.existing !== undefined) {
    return { arn: pulumi.output(args.existing), createDate: undefined, policies: { trust, permissions } };
  }
  const {
    arn,
    createDate,
    name: role,
  } = new aws.iam.Role(
    fitName(name, ROLE_NAME),
    { description: args.description, assumeRolePolicy: trust, ...roleLimits(args), tags: args.tags },
    { parent, aliases: aliases.map((former) => ({ name: fitName(former.name, ROLE_NAME) })) },
  );
  const policyName = (of: string) => fitName(`${of}-policy`, ROLE_NAME);
  new aws.iam.RolePolicy(
    policyName(name),
    { role, policy: permissions },
    { parent, aliases: aliases.map((former) => ({ name: policyName(former.name) })) },
  );
  return { arn, createDate, policies: undefined };
}
