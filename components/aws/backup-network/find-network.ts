import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** Where tasks run, as far as it is known before the deployment. */
export interface Place {
  readonly vpcId: pulumi.Output<string>;
  readonly subnetIds: pulumi.Output<string[]>;
}

/** Existing subnets, and their VPC. */
export function existingSubnets(
  subnetIds: pulumi.Input<readonly pulumi.Input<string>[]>,
  vpcId: pulumi.Input<string> | undefined,
  parent: pulumi.Resource,
): Place {
  const ids = pulumi.output(subnetIds).apply((all) => {
    if (all.length === 0) throw new pulumi.RunError("The network has an empty list of subnetIds; name one at least.");
    return [...all];
  });
  const ofFirst = () => aws.ec2.getSubnetOutput({ id: ids.apply(([first = ""]) => first) }, { parent }).vpcId;
  return { vpcId: vpcId === undefined ? ofFirst() : pulumi.output(vpcId), subnetIds: ids };
}

/** The account's default VPC, with its default subnets. */
export function defaultVpc(parent: pulumi.Resource): Place {
  const vpcs = aws.ec2.getVpcsOutput({ filters: [{ name: "is-default", values: ["true"] }] }, { parent });
  const vpcId = vpcs.ids.apply(([id]) => {
    if (id !== undefined) return id;
    throw new pulumi.RunError(
      "The account has no default VPC in this region. Name subnetIds of another, have a small one made with create, or get " +
        "the default one back: aws ec2 create-default-vpc",
    );
  });
  const subnets = aws.ec2.getSubnetsOutput(
    {
      filters: [
        { name: "vpc-id", values: [vpcId] },
        { name: "default-for-az", values: ["true"] },
      ],
    },
    { parent },
  );
  const subnetIds = subnets.ids.apply((ids) => {
    // Whatever order AWS lists them in: another one would change every schedule.
    if (ids.length > 0) return [...ids].sort();
    throw new pulumi.RunError("The default VPC has no default subnet; name subnetIds, or use create.");
  });
  return { vpcId, subnetIds };
}
