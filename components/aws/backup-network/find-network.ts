import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { answerOf } from "../answer.ts";

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
  const ofFirst = () =>
    ids.apply(async ([id = ""]) => {
      return (await answerOf(`the subnet ${id}`, aws.ec2.getSubnet({ id }, { parent }))).vpcId;
    });
  return { vpcId: vpcId === undefined ? ofFirst() : pulumi.output(vpcId), subnetIds: ids };
}

/** Names of the zones in which tasks may run; undefined where that is any. */
async function zonesBut(
  excludeZoneIds: readonly string[] | undefined,
  parent: pulumi.Resource,
): Promise<string[] | undefined> {
  if (excludeZoneIds === undefined) return undefined;
  const zones = aws.getAvailabilityZones({ excludeZoneIds: [...excludeZoneIds] }, { parent });
  return (await answerOf("the zones of the region", zones)).names;
}

/** Subnets of a VPC by filters and tags, in an order that AWS does not decide. */
function findSubnets(
  vpcId: pulumi.Input<string>,
  wanted: {
    readonly filters?: readonly aws.types.input.ec2.GetSubnetsFilter[];
    readonly tags?: Record<string, string>;
    readonly excludeZoneIds: readonly string[] | undefined;
    /** What to say where there are none. */
    readonly missing: string;
  },
  parent: pulumi.Resource,
): pulumi.Output<string[]> {
  const { filters = [], tags, excludeZoneIds, missing } = wanted;
  return pulumi.output(vpcId).apply(async (vpc) => {
    const zones = await zonesBut(excludeZoneIds, parent);
    const asked = {
      filters: [
        { name: "vpc-id", values: [vpc] },
        ...filters,
        ...(zones === undefined ? [] : [{ name: "availability-zone", values: zones }]),
      ],
      ...(tags !== undefined && { tags }),
    };
    const { ids } = await answerOf(`the subnets of the VPC ${vpc}`, aws.ec2.getSubnets(asked, { parent }));
    // Whatever order AWS lists them in: another one would change every schedule.
    if (ids.length > 0) return [...ids].sort();
    throw new pulumi.RunError(missing);
  });
}

/** The account's default VPC, with its default subnets. */
export function defaultVpc(excludeZoneIds: readonly string[] | undefined, parent: pulumi.Resource): Place {
  const vpcs = aws.ec2.getVpcs({ filters: [{ name: "is-default", values: ["true"] }] }, { parent });
  const vpcId = pulumi.output(answerOf("the default VPC", vpcs)).apply(({ ids: [id] }) => {
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
  const vpcs = answerOf(`the VPC with the tags ${JSON.stringify(tags)}`, aws.ec2.getVpcs({ tags }, { parent }));
  return pulumi.output(vpcs).apply(({ ids }) => {
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
