import * as pulumi from "@pulumi/pulumi";

/** A statement of an IAM or resource policy, in IAM's own words. */
export interface Statement {
  readonly Sid: string;
  readonly Effect: "Allow" | "Deny";
  /** Only in a resource's policy. */
  readonly Principal?: "*" | Readonly<Partial<Record<"AWS" | "Service", pulumi.Input<string> | readonly string[]>>>;
  readonly Action: string | readonly string[];
  /** Not in a role's trust policy. */
  readonly Resource?: pulumi.Input<string> | readonly pulumi.Input<string>[];
  /** By operator, by key. */
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, ConditionValue>>>>;
}

/** The values of a condition, of which one has to match. */
type ConditionValue = pulumi.Input<string> | pulumi.Input<readonly pulumi.Input<string>[]>;

/** A policy document of some statements, as the JSON text that every AWS resource takes. */
export function policy(...statements: readonly Statement[]): pulumi.Output<string> {
  return pulumi.jsonStringify({ Version: "2012-10-17", Statement: statements });
}

/** Forbids what reaches a resource without TLS. */
export function denyWithoutTls(action: string, ...resources: readonly pulumi.Input<string>[]): Statement {
  return {
    Sid: "DenyWithoutTls",
    Effect: "Deny",
    Principal: "*",
    Action: action,
    Resource: resources,
    Condition: { Bool: { "aws:SecureTransport": "false" } },
  };
}
