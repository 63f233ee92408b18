import { fileURLToPath } from "node:url";
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { PulumiFn } from "@pulumi/pulumi/automation/index.js";
import { outputsOf } from "../../../tools/engine.ts";

const index = fileURLToPath(new URL("../../../index.ts", import.meta.url));

/** The replication's type by the name that the Terraform provider knows it by. */
const REPLICATION = "aws:s3/bucketReplicationConfiguration:BucketReplicationConfiguration";

/** Of which resources moto drops what: by their type, the inputs that it answers otherwise. */
const FORGOTTEN: Readonly<Record<string, readonly string[]>> = {
  "aws:s3/bucketNotification:BucketNotification": ["eventbridge"],
  "aws:s3/bucketReplicationConfig:BucketReplicationConfig": ["rules"],
  [REPLICATION]: ["rules"],
  "aws:cloudwatch/metricAlarm:MetricAlarm": ["alarmName"],
};

let evaluations = 0;

/**
 * The whole program, or the one of another file, with what the stand-ins for AWS and for its plugin need:
 *
 * - moto ignores the conditions of bucket policies, so that a denial of what comes without TLS, or with another key, would
 *   deny everything: such statements are left out;
 * - moto forgets that a bucket sends its events to EventBridge, and says of a replication's rules that none copies delete markers,
 *   whatever it was told; both would be made good with every `up`;
 * - an alarm keeps the name that it got first, which Pulumi's own plugin sees to by itself;
 * - where the plugin is the Terraform provider itself, some inputs have Terraform's names, and so have types that it tells by their
 *   names.
 *
 * @param policies `complete` leaves bucket policies whole, for a test that neither writes nor reads an object
 */
export function awsProgram(
  plugin: "official" | "stand-in",
  file = index,
  policies: "complete" | "without conditional denials" = "without conditional denials",
): PulumiFn {
  if (plugin === "stand-in") {
    Object.assign(aws.s3.BucketReplicationConfig, { __pulumiType: REPLICATION });
    const oidc = "aws:iam/openidConnectProvider:OpenidConnectProvider";
    Object.assign(aws.iam.OpenIdConnectProvider, { __pulumiType: oidc });
    Object.assign(aws.rds.Instance, { __pulumiType: "aws:db/instance:Instance" });
    Object.assign(aws.rds.SubnetGroup, { __pulumiType: "aws:db/subnetGroup:SubnetGroup" });
  }
  return async () => {
    pulumi.runtime.registerStackTransformation(({ type, name, props, opts }) => {
      const changed = {
        ...(policies === "complete" ? props : withoutConditionalDenials(type, props)),
        ...(plugin === "stand-in" && terraformNames(type, name, props)),
      };
      const ignoreChanges = FORGOTTEN[type];
      return {
        props: changed,
        opts: ignoreChanges === undefined ? opts : { ...opts, ignoreChanges: [...ignoreChanges] },
      };
    });
    evaluations += 1;
    return outputsOf((await import(/* @vite-ignore */ `${file}?run=${evaluations}`)) as object);
  };
}

type Properties = Record<string, pulumi.Input<unknown>>;

interface Policy {
  readonly Statement: readonly { readonly Effect: string; readonly Condition?: unknown }[];
}

function withoutConditionalDenials(type: string, props: Properties): Properties {
  if (type !== "aws:s3/bucketPolicy:BucketPolicy") return props;
  const policy = pulumi.output(props.policy as pulumi.Input<string>).apply((text) => {
    const document = JSON.parse(text) as Policy;
    const kept = document.Statement.filter(({ Effect, Condition }) => Effect !== "Deny" || Condition === undefined);
    return JSON.stringify({ ...document, Statement: kept });
  });
  return { ...props, policy };
}

function terraformNames(type: string, name: string, props: Properties): Properties {
  switch (type) {
    case "aws:sns/topicSubscription:TopicSubscription":
      return { topicArn: props.topic, topic: undefined };
    case "aws:cloudwatch/metricAlarm:MetricAlarm":
      return { alarmName: props.name ?? name };
    default:
      return {};
  }
}
