import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import type { AwsArgs } from "../settings.ts";
import { endpointsOf, type Endpoint } from "../settings/network.ts";
import { plain, plainList } from "./plain.ts";
import type { Questions } from "./questions.ts";

/** The addresses of everything: where a default route leads. */
const EVERYWHERE = ["0.0.0.0/0", "::/0"];

/** By which setting subnets are named. */
type SubnetsBy = "subnetIds" | "subnetTags";

/** What tasks call beside their databases. */
interface Needs {
  /** Whether that is nothing but services of AWS in the stack's region. */
  readonly onlyAws: boolean;
  readonly services: readonly Endpoint[];
}

/** Whether the VPC, its subnets and the security groups exist, and whether tasks get from the subnets to what they need. */
export async function lookUpNetwork(
  questions: Questions,
  { network }: Pick<AwsArgs, "network">,
  { onlyAws, services }: Needs,
): Promise<void> {
  const vpcId = plain(network.vpcId);
  const subnetIds = plainList(network.subnetIds);
  const made = endpointsOf(network.endpoints);
  const lacking = services.filter((service) => !made.includes(service));
  const routes = (ids: readonly string[], by: SubnetsBy) =>
    // With endpoints of all that is needed, a way out is not.
    onlyAws && lacking.length === 0 ? undefined : lookUpRoutes(questions, ids, { ...network, by, lacking });
  await Promise.all([
    lookUpGroups(questions, network),
    vpcId !== undefined && lookUpVpc(questions, vpcId),
    lookUpSubnets(questions, subnetIds, vpcId).then((found) => routes(found, "subnetIds")),
    subnetsByTags(questions, network).then((found) => routes(found, "subnetTags")),
  ]);
}

async function lookUpVpc(questions: Questions, id: string): Promise<void> {
  const filters = [{ name: "vpc-id", values: [id] }];
  const vpcs = await questions.ask(
    `the VPC ${id}`,
    async () => (await aws.ec2.getVpcs({ filters }, questions.opts)).ids,
  );
  if (vpcs?.length === 0) {
    questions.warn(`network.vpcId: the VPC ${id} does not exist in ${questions.region} of this account.`);
  }
}

/** The tasks' own groups, and those of databases and others that rules name. */
async function lookUpGroups(questions: Questions, network: AwsArgs["network"]): Promise<void> {
  const { securityGroupIds, allowTo, databases = [], https = [] } = network;
  const groupsOf = (places: readonly { readonly securityGroupId?: pulumi.Input<string> | undefined }[]) =>
    plainList(places.flatMap(({ securityGroupId }) => securityGroupId ?? []));
  const named = {
    securityGroupIds: plainList(securityGroupIds),
    allowTo: groupsOf(allowTo === undefined ? [] : [allowTo]),
    databases: groupsOf(databases),
    https: groupsOf(https),
  };
  const ids = [...new Set(Object.values(named).flat())];
  if (ids.length === 0) return;
  const filters = [{ name: "group-id", values: ids }];
  const found = await questions.ask(
    `the security groups ${ids.join(", ")}`,
    async () => (await aws.ec2.getSecurityGroups({ filters }, questions.opts)).ids,
  );
  if (found === undefined) return;
  for (const [setting, groups] of Object.entries(named)) {
    for (const id of new Set(groups.filter((group) => !found.includes(group)))) {
      const place = `${questions.region} of this account`;
      questions.warn(`network.${setting}: the security group ${id} does not exist in ${place}.`);
    }
  }
}

/** The subnets that exist. */
async function lookUpSubnets(
  questions: Questions,
  ids: readonly string[],
  vpcId: string | undefined,
): Promise<string[]> {
  if (ids.length === 0) return [];
  const filtersOf = (inVpc: boolean) => [
    { name: "subnet-id", values: [...ids] },
    ...(inVpc && vpcId !== undefined ? [{ name: "vpc-id", values: [vpcId] }] : []),
  ];
  const subnets = async (inVpc: boolean) =>
    (await aws.ec2.getSubnets({ filters: filtersOf(inVpc) }, questions.opts)).ids.map(String);
  const found = await questions.ask(`the subnets ${ids.join(", ")}`, () =>
    Promise.all([subnets(false), subnets(true)]),
  );
  if (found === undefined) return [];
  const [existing, ofVpc] = found;
  for (const id of ids) {
    if (!existing.includes(id)) {
      questions.warn(`network.subnetIds: the subnet ${id} does not exist in ${questions.region} of this account.`);
    } else if (!ofVpc.includes(id)) {
      questions.warn(`network.subnetIds: the subnet ${id} is not in the VPC ${String(vpcId)} of network.vpcId.`);
    }
  }
  return ids.filter((id) => existing.includes(id));
}

/** The subnets that tags find. Where these find none, or not exactly one VPC, the deployment itself ends and says so. */
async function subnetsByTags(
  questions: Questions,
  { vpcId, vpcTags, subnetTags: tags, excludeZoneIds }: AwsArgs["network"],
): Promise<string[]> {
  if (tags === undefined) return [];
  const { opts } = questions;
  const found = await questions.ask(`the subnets with the tags ${JSON.stringify(tags)}`, async () => {
    const vpc = vpcTags === undefined ? plain(vpcId) : (await aws.ec2.getVpcs({ tags: vpcTags }, opts)).ids[0];
    if (vpc === undefined) return [];
    const filters = [{ name: "vpc-id", values: [vpc] }];
    if (excludeZoneIds !== undefined) {
      const { names } = await aws.getAvailabilityZones({ excludeZoneIds: [...excludeZoneIds] }, opts);
      filters.push({ name: "availability-zone", values: names });
    }
    return (await aws.ec2.getSubnets({ filters, tags }, opts)).ids;
  });
  return found ?? [];
}

/** Whether tasks get out of subnets: to an internet gateway with a public address alone, to anything else with a private one. */
async function lookUpRoutes(
  questions: Questions,
  ids: readonly string[],
  {
    assignPublicIp,
    by,
    lacking,
  }: Pick<AwsArgs["network"], "assignPublicIp"> & { readonly by: SubnetsBy; readonly lacking: readonly Endpoint[] },
): Promise<void> {
  const publicIp = plain(assignPublicIp) ?? false;
  await Promise.all(
    ids.map(async (id) => {
      const targets = await questions.ask(`the routes of the subnet ${id}`, () => defaultRoutes(questions, id));
      if (targets === undefined) return;
      if (targets.length === 0) {
        const missed =
          lacking.length === 0
            ? "the endpoints lead to AWS's services in the region alone. The image, or a secret, store, monitor or files of a job, is elsewhere. " +
              "Unless that is within the VPC, route 0.0.0.0/0 to a NAT gateway."
            : `tasks need ${lacking.join(", ")}, of which the stack makes no endpoints. Route 0.0.0.0/0 to a NAT gateway, set ` +
              "network.endpoints to true, or let the VPC have endpoints of these services.";
        questions.warn(`network.${by}: no route of the subnet ${id} leads out of its VPC, and ${missed}`);
      } else if (!publicIp && targets.every((target) => target.startsWith("igw-"))) {
        questions.warn(
          `network.${by}: the subnet ${id} leads out through an internet gateway, which takes nothing from a task without a public ` +
            "address. Set network.assignPublicIp to true, or name private subnets with a NAT gateway.",
        );
      }
    }),
  );
}

/** The ids of what the default routes of a subnet lead to. */
async function defaultRoutes(questions: Questions, subnetId: string): Promise<string[]> {
  const tables = async (filters: { name: string; values: string[] }[]) =>
    (await aws.ec2.getRouteTables({ filters }, questions.opts)).ids;
  const [own] = await tables([{ name: "association.subnet-id", values: [subnetId] }]);
  const main = async () => {
    const { vpcId } = await aws.ec2.getSubnet({ id: subnetId }, questions.opts);
    const [table] = await tables([
      { name: "association.main", values: ["true"] },
      { name: "vpc-id", values: [vpcId] },
    ]);
    return table;
  };
  const routeTableId = own ?? (await main());
  if (routeTableId === undefined) return [];
  const { routes } = await aws.ec2.getRouteTable({ routeTableId }, questions.opts);
  return routes
    .filter(({ cidrBlock, ipv6CidrBlock }) => EVERYWHERE.includes(cidrBlock) || EVERYWHERE.includes(ipv6CidrBlock))
    .map(({ gatewayId, natGatewayId, transitGatewayId, networkInterfaceId, vpcEndpointId, egressOnlyGatewayId }) => {
      const targets = [
        gatewayId,
        natGatewayId,
        transitGatewayId,
        networkInterfaceId,
        vpcEndpointId,
        egressOnlyGatewayId,
      ];
      return targets.find((target) => target !== "") ?? "another";
    });
}
