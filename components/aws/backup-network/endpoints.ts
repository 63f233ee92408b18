import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { fitName } from "../../fit-name.ts";
import { answerOf } from "../answer.ts";
import { HTTPS, type Endpoint, type HttpsPlace } from "../settings/network.ts";
import type { Place } from "./find-network.ts";

/** Characters that AWS allows in a security group's name. */
const GROUP_NAME = 255;

/** What {@link makeEndpoints} needs beside the network. */
interface EndpointsArgs {
  readonly stack: string;
  readonly services: readonly Endpoint[];
  readonly tags: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
}

/**
 * Endpoints by which subnets without a way out reach AWS's services. Their private names hold for the whole VPC, and so all of its
 * addresses are let in: others than the tasks would lose the services otherwise.
 *
 * @returns where a task reaches them
 */
export function makeEndpoints(
  name: string,
  { vpcId, subnetIds }: Place,
  { stack, services, tags }: EndpointsArgs,
  parent: pulumi.Resource,
): HttpsPlace[] {
  const made: HttpsPlace[] = [];
  const region = aws.getRegionOutput({}, { parent }).region;
  const common = (service: Endpoint) => ({
    vpcId,
    serviceName: pulumi.interpolate`com.amazonaws.${region}.${service}`,
    tags,
  });
  const interfaces = services.filter((service) => service !== "s3");
  if (interfaces.length > 0) {
    const addresses = vpcId.apply(async (id) => {
      const vpc = await answerOf(`the VPC ${id}`, aws.ec2.getVpc({ id }, { parent }));
      return vpc.cidrBlockAssociations.map(({ cidrBlock }) => cidrBlock).sort();
    });
    const group = new aws.ec2.SecurityGroup(
      fitName(`${name}-endpoints`, GROUP_NAME),
      {
        description: `Endpoints of AWS for the backup tasks of the stack ${stack}`,
        vpcId,
        ingress: [
          {
            description: "The VPC",
            protocol: "tcp",
            fromPort: HTTPS,
            toPort: HTTPS,
            cidrBlocks: addresses,
          },
        ],
        tags,
      },
      { parent },
    );
    made.push({ securityGroupId: group.id });
    const places = onePerZone(subnetIds, parent);
    for (const service of interfaces) {
      new aws.ec2.VpcEndpoint(
        `${name}-${service}`,
        {
          ...common(service),
          vpcEndpointType: "Interface",
          privateDnsEnabled: true,
          subnetIds: places,
          securityGroupIds: [group.id],
        },
        { parent },
      );
    }
  }
  if (services.includes("s3")) {
    const routeTableIds = routeTables({ vpcId, subnetIds }, parent);
    const gateway = { ...common("s3"), vpcEndpointType: "Gateway", routeTableIds };
    made.push({ prefixListId: new aws.ec2.VpcEndpoint(`${name}-s3`, gateway, { parent }).prefixListId });
  }
  return made;
}

/** The first subnet of each zone: an interface endpoint takes no second one. */
function onePerZone(subnetIds: pulumi.Output<string[]>, parent: pulumi.Resource): pulumi.Output<string[]> {
  return subnetIds.apply(async (ids) => {
    const subnets = await Promise.all(
      ids.map((id) => answerOf(`the subnet ${id}`, aws.ec2.getSubnet({ id }, { parent }))),
    );
    return subnets
      .filter(({ availabilityZone }, index) => {
        return subnets.findIndex((other) => other.availabilityZone === availabilityZone) === index;
      })
      .map(({ id }) => id);
  });
}

/** The route tables of subnets, each once: the VPC's main one where a subnet has none of its own. */
function routeTables({ vpcId, subnetIds }: Place, parent: pulumi.Resource): pulumi.Output<string[]> {
  return pulumi.all([vpcId, subnetIds]).apply(async ([id, subnets]) => {
    const tablesWith = async (name: string, value: string) => {
      const tables = aws.ec2.getRouteTables({ vpcId: id, filters: [{ name, values: [value] }] }, { parent });
      return (await answerOf(`the route tables of the VPC ${id}`, tables)).ids;
    };
    const [main, ...own] = await Promise.all([
      tablesWith("association.main", "true"),
      ...subnets.map((subnet) => tablesWith("association.subnet-id", subnet)),
    ]);
    return [...new Set(own.flatMap((ids) => (ids.length > 0 ? ids : main)))].sort();
  });
}
