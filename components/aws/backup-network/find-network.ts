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

/** Names of the zones in which tasks may run; undefined where that is any. */
function zonesBut(excludeZoneIds: readonly string[] | undefined, parent: pulumi.Resource) {
  if (excludeZoneIds === undefined) return undefined;
  return aws.getAvailabilityZonesOutput({ excludeZoneIds: [...excludeZoneIds] }, { parent }).names;
}

/** Subnets of a VPC by filters and tags, in an order that AWS does not decide. */
function findSubnets(
  vpcId: pulumi.Input<string>,
  wanted: {
    readonly filters?: readonly aws.types.input.ec2.GetSubnetsFilterArgs[];
    readonly tags?: Record<string, string>;
    readonly excludeZoneIds: readonly string[] | undefined;
    /** What to say where there are none. */
    readonly missing: string;
  },
  parent: pulumi.Resource,
): pulumi.Output<string[]> {
  const { filters = [], tags, excludeZoneIds, missing } = wanted;
  const zones = zonesBut(excludeZoneIds, parent);
  const subnets = aws.ec2.getSubnetsOutput(
    {
      filters: [
        { name: "vpc-id", values: [vpcId] },
        ...filters,
        ...(zones === undefined ? [] : [{ name: "availability-zone", values: zones }]),
      ],
      ...(tags !== undefined && { tags }),
    },
    { parent },
  );
  return subnets.ids.apply((ids) => {
    // Whatever order AWS lists them in: another one would change every schedule.
    if (ids.length > 0) return [...ids].sort();
    throw new pulumi.RunError(missing);
  });
}

/** The account's default VPC, with its default subnets. */
export function defaultVpc(excludeZoneIds: readonly string[] | undefined, parent: pulumi.Resource): Place {
  const vpcs = aws.ec2.getVpcsOutput({ filters: [{ name: "is-default", values: ["true"] }] }, { parent });
  const vpcId = vpcs.ids.apply(([id]) => {
    if (id !== undefined) return id;
    throw new pulumi.RunError(
      "The account has no default VPC in this region. Name subnetIds of another, have a small one made with create, or get " +
        "the default one back: aws ec2 create-default-vpc",
    );
  });
  const filters = [{ name: "default-for-az", values: ["true"] }];
  const missing = "The default VPC has no default subnet; name subnetIds, or use create.";
  return { vpcId, subnetIds: findSubnets(vpcId, { filters, excludeZoneIds, missing }, parent) };
}

/** The only VPC that has some tags. */
export function vpcByTags(tags: Record<string, string>, parent: pulumi.Resource): pulumi.Output<string> {
  return aws.ec2.getVpcsOutput({ tags }, { parent }).ids.apply((ids) => {
    const [id] = ids;
    if (id !== undefined && ids.length === 1) return id;
    const found = ids.length === 0 ? "No VPC has" : `${ids.length} VPCs (${[...ids].sort().join(", ")}) have`;
    throw new pulumi.RunError(
      `${found} the tags ${JSON.stringify(tags)} of vpcTags in this region; exactly one must. Name further tags, or its vpcId.`,
    );
  });
}

/** All subnets of a VPC that have some tags. */
export function subnetsByTags(
  vpcId: pulumi.Output<string>,
  tags: Record<string, string>,
  excludeZoneIds: readonly string[] | undefined,
  parent: pulumi.Resource,
): pulumi.Output<string[]> {
  const outside = excludeZoneIds === undefined ? "" : ` outside of ${excludeZoneIds.join(", ")}`;
  const missing = `No subnet of the VPC has the tags ${JSON.stringify(tags)} of subnetTags${outside}. Name other tags, or subnetIds.`;
  return findSubnets(vpcId, { tags, excludeZoneIds, missing }, parent);
}
