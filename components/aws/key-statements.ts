import * as pulumi from "@pulumi/pulumi";
import type { AwsAccount } from "./aws-account.ts";
import type { Statement } from "./policy.ts";
import { OWNER_TAG, type OwnRoles } from "./principals.ts";

/** What a person with administrative rights does with a key and its alias. Using it is not among them. */
const ADMINISTRATION = [
  "kms:CancelKeyDeletion",
  "kms:CreateAlias",
  "kms:DeleteAlias",
  "kms:Describe*",
  "kms:Disable*",
  "kms:Enable*",
  "kms:Get*",
  "kms:List*",
  "kms:PutKeyPolicy",
  "kms:RevokeGrant",
  "kms:RotateKeyOnDemand",
  "kms:ScheduleKeyDeletion",
  "kms:TagResource",
  "kms:UntagResource",
  "kms:UpdateAlias",
  "kms:UpdateKeyDescription",
];

/** Everything that encrypts and decrypts. */
export const USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"];

/** The account, as the principal that leaves it to its own policies who may do what a statement allows. */
export function accountRoot({ partition, id }: AwsAccount): { readonly AWS: pulumi.Output<string> } {
  return { AWS: pulumi.interpolate`arn:${partition}:iam::${id}:root` };
}

/**
 * What every key's policy begins with: the account's identities administer the key, and use it only through some services, where
 * a policy of theirs says so too. Nobody decrypts with it directly.
 *
 * @param services the first parts of the services' host names, such as `s3`
 * @param users ARN patterns of the only principals that may use it so. Default: every identity of the account.
 * @param own roles with the tag {@link OWNER_TAG} that may use it so beside `users`
 */
export function keyStatements(
  account: AwsAccount,
  services: readonly string[],
  users?: pulumi.Input<readonly string[]>,
  own?: pulumi.Output<OwnRoles>,
): Statement[] {
  const principal = accountRoot(account);
  const through = {
    "kms:ViaService": account.region.apply((where) => services.map((service) => `${service}.${where}.amazonaws.com`)),
  };
  return [
    { Sid: "Administer", Effect: "Allow", Principal: principal, Action: ADMINISTRATION, Resource: "*" },
    {
      Sid: "UseThroughServices",
      Effect: "Allow",
      Principal: principal,
      Action: USE,
      Resource: "*",
      Condition: { StringEquals: through, ...(users !== undefined && onlyPrincipals(users)) },
    },
    ...(own === undefined
      ? []
      : [
          {
            Sid: "UseByOwnRoles",
            Effect: "Allow",
            Principal: principal,
            Action: USE,
            Resource: "*",
            Condition: {
              StringEquals: { ...through, [`aws:PrincipalTag/${OWNER_TAG}`]: own.apply(({ tag }) => tag[1]) },
              ...onlyPrincipals(own.apply(({ arns }) => arns)),
            },
          } as const,
        ]),
  ];
}

/** The condition that only some principals meet, which ARN patterns name. */
export function onlyPrincipals(arns: pulumi.Input<readonly string[]>) {
  return { ArnLike: { "aws:PrincipalArn": arns } };
}
