import { MISTAKE_MARKER, type Mistake } from "./mistakes.ts";

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;

const job = {
  name: "app",
  schedule: { cron: "0 3 * * *" },
  database: { kind: "postgres", url: { secret: "appUrl" } },
  destinations: [{ kind: "s3" }],
};

const aws = {
  image: `123456789012.dkr.ecr.us-east-1.amazonaws.com/provision@${DIGEST}`,
  alarms: { emails: ["ops@example.com"] },
};

/** What makes a configuration with nothing wrong for the target aws of that for the target host. */
export const awsConfig = { target: "aws", "aws:region": "us-east-1", jobs: [job], host: {}, aws };

const withAws = (change: Readonly<Record<string, unknown>>) => ({ ...awsConfig, aws: { ...aws, ...change } });
const withJob = (change: Readonly<Record<string, unknown>>) => ({ ...awsConfig, jobs: [{ ...job, ...change }] });
const withUrl = (url: unknown) => withJob({ database: { kind: "postgres", url } });
const withDestination = (destination: unknown) => withJob({ destinations: [destination] });

const VPC = "vpc-0a1b2c3d4e5f60718";
const SUBNET = "subnet-0a1b2c3d4e5f60718";
const GROUP = "sg-0a1b2c3d4e5f60718";

/** Configurations of the target aws with mistakes. */
export const awsMistakes: readonly Mistake[] = [
  {
    name: "no region",
    change: { ...awsConfig, "aws:region": undefined },
    problems: [
      "aws:region: is missing; expected the region in which everything of the stack is made\n" +
        "pulumi config set aws:region eu-central-1",
    ],
  },
  {
    name: "a region that there is not",
    change: { ...awsConfig, "aws:region": "eu-centrall-1" },
    problems: [
      'aws:region: "eu-centrall-1" is no region that is known; expected its code, such as eu-central-1. For one that is newer: pulumi config set aws:skipRegionValidation true\n' +
        "pulumi config set aws:region eu-central-1",
    ],
  },
  {
    name: "a zone for a region",
    change: { ...awsConfig, "aws:region": "us-east-1a" },
    problems: [
      'aws:region: "us-east-1a" is no region that is known; expected its code, such as eu-central-1. For one that is newer: pulumi config set aws:skipRegionValidation true\n' +
        "pulumi config set aws:region us-east-1",
    ],
  },
  {
    name: "the stack's own tag",
    change: withAws({ tags: { "provision:stack": "mine" } }),
    problems: [
      'provision:aws.tags["provision:stack"]: the stack sets this tag itself, to its name, so that costs can be shown by stack\n' +
        "Choose another key: pulumi config rm --path 'provision:aws.tags[\"provision:stack\"]'",
    ],
  },
  {
    name: "a cluster by its name",
    change: withAws({ clusterArn: "shared" }),
    problems: [
      'provision:aws.clusterArn: expected the ARN of a cluster: arn:aws:ecs:…, got "shared"\n' +
        'Write it, for example clusterArn: "arn:aws:ecs:eu-central-1:123456789012:cluster/shared". About clusterArn: An existing ECS cluster, which may run other tasks too. Left out: the stack makes one.',
    ],
  },
  {
    name: "a cluster and keys of other regions",
    change: withAws({
      clusterArn: "arn:aws:ecs:eu-west-1:123456789012:cluster/shared",
      keyArn: "arn:aws:kms:eu-west-1:123456789012:key/1",
      bucket: { existing: "acme-backups", keyArn: "arn:aws:kms:eu-west-2:123456789012:key/2" },
    }),
    problems: [
      "provision:aws.clusterArn: arn:aws:ecs:eu-west-1:123456789012:cluster/shared is in eu-west-1, and the stack in us-east-1\n" +
        "Name one of us-east-1, or leave it out: pulumi config rm --path 'provision:aws.clusterArn'",
      "provision:aws.keyArn: arn:aws:kms:eu-west-1:123456789012:key/1 is in eu-west-1, and the stack in us-east-1\n" +
        "Name one of us-east-1, or leave it out: pulumi config rm --path 'provision:aws.keyArn'",
      "provision:aws.bucket.keyArn: arn:aws:kms:eu-west-2:123456789012:key/2 is in eu-west-2, and the stack in us-east-1\n" +
        "Name one of us-east-1, or leave it out: pulumi config rm --path 'provision:aws.bucket.keyArn'",
    ],
  },
  {
    name: "no image",
    change: withAws({ image: undefined }),
    problems: [
      "provision:aws.image: is missing; expected the runner's image with its digest, or build: {} to have it built by `pulumi up`\n" +
        "pulumi config set --path 'provision:aws.image' REGISTRY/REPOSITORY@sha256:DIGEST",
    ],
  },
  {
    name: "an image by a tag",
    change: withAws({ image: "registry.example.com/provision:1.2" }),
    problems: [
      'provision:aws.image: "registry.example.com/provision:1.2" names the image by the tag 1.2, which can come to mean another image: expected registry/repository@sha256: with 64 hexadecimal digits. Find the digest with: docker buildx imagetools inspect registry.example.com/provision:1.2\n' +
        "pulumi config set --path 'provision:aws.image' REGISTRY/REPOSITORY@sha256:DIGEST",
    ],
  },
  {
    name: "a digest that is too short",
    change: withAws({ image: "registry.example.com/provision@sha256:0123" }),
    problems: [
      'provision:aws.image: "registry.example.com/provision@sha256:0123" is no reference of an image: expected registry/repository@sha256: with 64 hexadecimal digits.\n' +
        "pulumi config set --path 'provision:aws.image' REGISTRY/REPOSITORY@sha256:DIGEST",
    ],
  },
  {
    name: "an image and how to build one",
    change: withAws({ build: {} }),
    problems: [
      "provision:aws.image: expected a finished image or how to build one (build), not both\n" +
        "Remove one of them: pulumi config rm --path 'provision:aws.build'",
    ],
  },
  {
    name: "a time by day of the month and day of the week",
    change: withJob({ schedule: { cron: "0 3 1 * 1" } }),
    problems: [
      'provision:jobs[0].schedule.cron: "0 3 1 * 1" does not work on the target aws: it names days of the month ("1") and days of the week ("1"), which EventBridge Scheduler cannot; write * for one of the two\n' +
        "For every day at 3:00, for instance: pulumi config set --path 'provision:jobs[0].schedule.cron' '0 3 * * *'",
    ],
  },
  {
    name: "a backup that may shrink to nothing",
    change: withAws({ alarms: { shrinkPercent: 150 } }),
    problems: [
      "provision:aws.alarms.shrinkPercent: expected a number from 1 to 99, got 150\n" +
        "Write it, for example shrinkPercent: 50. About shrinkPercent: Percent by which a backup may be smaller than the one before. Default 50.",
    ],
  },
  {
    name: "a misspelt field of the target",
    change: withAws({ netwerk: {} }),
    problems: [
      "provision:aws.netwerk: there is no such field; allowed are image, build, architecture, size, sizes, network, clusterArn, keyArn, bucket, schedules, logs, alarms, secretRecoveryDays, secretKeyArns, readers, holders, roles, permissionsBoundary, rolePath and tags\n" +
        "Did you mean network?",
    ],
  },
  {
    name: "a field in the wrong place",
    change: withAws({ vpcId: VPC }),
    problems: [
      "provision:aws.vpcId: there is no such field; allowed are image, build, architecture, size, sizes, network, clusterArn, keyArn, bucket, schedules, logs, alarms, secretRecoveryDays, secretKeyArns, readers, holders, roles, permissionsBoundary, rolePath and tags\n" +
        "Move it into network: network.vpcId.",
    ],
  },
  {
    name: "settings that are no object",
    change: { ...awsConfig, aws: "us-east-1" },
    problems: [
      'provision:aws: expected an object with any of image, build, architecture, size, sizes, network, clusterArn, keyArn, bucket, schedules, logs, alarms, secretRecoveryDays, secretKeyArns, readers, holders, roles, permissionsBoundary, rolePath and tags, got "us-east-1"\n' +
        'Write it, for example { image: "123456789012.dkr.ecr.us-east-1.amazonaws.com/provision@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }.',
    ],
  },
  {
    name: "an unknown processor",
    change: withAws({ architecture: "arm" }),
    problems: [
      'provision:aws.architecture: expected "arm64" or "x86_64", got "arm"\n' +
        "Write it, for example architecture: arm64. About architecture: The processor that the image is made for. Default arm64, which costs a fifth less.",
    ],
  },
  {
    name: "CPU units that Fargate has not",
    change: withAws({ size: { cpu: 1000 } }),
    problems: [
      "provision:aws.size.cpu: expected one of 256, 512, 1024, 2048, 4096, 8192, 16384, got 1000\n" +
        "Write it, for example cpu: 1024. About cpu: CPU units, 1024 for one vCPU.",
    ],
  },
  {
    name: "CPUs instead of CPU units",
    change: withAws({ size: { cpu: 0.5 } }),
    problems: [
      "provision:aws.size.cpu: expected a whole number, got 0.5\n" +
        "Write it, for example cpu: 1024. About cpu: CPU units, 1024 for one vCPU.",
    ],
  },
  {
    name: "memory in quotes",
    change: withAws({ size: { memory: "2048" } }),
    problems: [
      'provision:aws.size.memory: expected a whole number from 512 to 122880, got "2048"\n' +
        "Write it without quotes. About memory: Memory in MiB. A run needs less than 300 whatever the database weighs.",
    ],
  },
  {
    name: "memory that does not fit the CPU units",
    change: withAws({ size: { cpu: 256, memory: 4096 } }),
    problems: [
      "provision:aws.size: Fargate has no 4096 MiB of memory with 256 CPU units; it has 512, 1024, 2048\n" +
        "pulumi config set --path 'provision:aws.size.memory' 2048",
    ],
  },
  {
    name: "memory that does not fit a job's CPU units",
    change: withAws({ sizes: { app: { cpu: 4096 } } }),
    problems: [
      "provision:aws.sizes.app: Fargate has no 2048 MiB of memory with 4096 CPU units; it has 8192 to 30720 in steps of 1024\n" +
        "pulumi config set --path 'provision:aws.sizes.app.memory' 8192",
    ],
  },
  {
    name: "the size of a job that is not there",
    change: withAws({ sizes: { apq: { cpu: 2048 } } }),
    problems: [
      "provision:aws.sizes.apq: there is no job of that name; there are app\n" +
        "Did you mean app? If not: Remove it: pulumi config rm --path 'provision:aws.sizes.apq'",
    ],
  },
  {
    name: "too little scratch space",
    change: withAws({ sizes: { app: { scratchGiB: 10 } } }),
    problems: [
      "provision:aws.sizes.app.scratchGiB: expected a whole number from 21 to 200, got 10\n" +
        "Write it, for example scratchGiB: 50. About scratchGiB: Scratch space in GiB, 21 to 200, for `restore --jobs` and for a database with `jobs`; other backups need none. Default: the 20 GiB that every task has for free.",
    ],
  },
  {
    name: "a misspelt field of a size",
    change: withAws({ sizes: { app: { scratchGB: 50 } } }),
    problems: [
      "provision:aws.sizes.app.scratchGB: there is no such field; allowed are cpu, memory and scratchGiB\n" +
        "Did you mean scratchGiB?",
    ],
  },
  {
    name: "a VPC without subnets",
    change: withAws({ network: { vpcId: VPC } }),
    problems: [
      "provision:aws.network: expected both a VPC (vpcId or vpcTags) and its subnets (subnetIds or subnetTags), or neither, got an object with vpcId\n" +
        "Write it, for example network: { vpcId: vpc-0a1b2c3d4e5f60718, subnetIds: [subnet-0a1b2c3d4e5f60718] }. About network: Where the tasks run. Default: the account's default VPC of the region.",
    ],
  },
  {
    name: "a VPC that exists and is to be made",
    change: withAws({ network: { create: {}, subnetIds: ["subnet-0a1b2c3d4e5f60718"], vpcId: VPC } }),
    problems: [
      "provision:aws.network: expected an existing VPC (vpcId and subnetIds) or one to create, not both, got an object with create, subnetIds, vpcId\n" +
        "Write it, for example network: { vpcId: vpc-0a1b2c3d4e5f60718, subnetIds: [subnet-0a1b2c3d4e5f60718] }. About network: Where the tasks run. Default: the account's default VPC of the region.",
    ],
  },
  {
    name: "a VPC by its id and by tags",
    change: withAws({ network: { subnetIds: [SUBNET], vpcId: VPC, vpcTags: { Name: "main" } } }),
    problems: [
      "provision:aws.network: expected the VPC by vpcId or by vpcTags, not both, got an object with subnetIds, vpcId, vpcTags\n" +
        "Write it, for example network: { vpcId: vpc-0a1b2c3d4e5f60718, subnetIds: [subnet-0a1b2c3d4e5f60718] }. About network: Where the tasks run. Default: the account's default VPC of the region.",
    ],
  },
  {
    name: "subnets by their ids and by tags",
    change: withAws({ network: { subnetIds: [SUBNET], subnetTags: { tier: "private" }, vpcId: VPC } }),
    problems: [
      "provision:aws.network: expected the subnets by subnetIds or by subnetTags, not both, got an object with subnetIds, subnetTags, vpcId\n" +
        "Write it, for example network: { vpcId: vpc-0a1b2c3d4e5f60718, subnetIds: [subnet-0a1b2c3d4e5f60718] }. About network: Where the tasks run. Default: the account's default VPC of the region.",
    ],
  },
  {
    name: "a zone to avoid among subnets by their ids",
    change: withAws({ network: { excludeZoneIds: ["use1-az3"], subnetIds: [SUBNET], vpcId: VPC } }),
    problems: [
      "provision:aws.network: expected subnetIds without excludeZoneIds: leave out the ids of subnets in those zones, got an object with excludeZoneIds, subnetIds, vpcId\n" +
        "Write it, for example network: { vpcId: vpc-0a1b2c3d4e5f60718, subnetIds: [subnet-0a1b2c3d4e5f60718] }. About network: Where the tasks run. Default: the account's default VPC of the region.",
    ],
  },
  {
    name: "endpoints where there is a way out",
    change: withAws({ network: { create: {}, endpoints: true } }),
    problems: [
      "provision:aws.network: expected subnetIds or subnetTags with endpoints: the default VPC and one to create have a way out, got an object with create, endpoints\n" +
        "Write it, for example network: { vpcId: vpc-0a1b2c3d4e5f60718, subnetIds: [subnet-0a1b2c3d4e5f60718] }. About network: Where the tasks run. Default: the account's default VPC of the region.",
    ],
  },
  {
    name: "rules for existing security groups",
    change: withAws({ network: { ports: [6432], securityGroupIds: [GROUP] } }),
    problems: [
      "provision:aws.network: expected securityGroupIds without ports, databases and https, which are rules of the stack's own security group, got an object with ports, securityGroupIds\n" +
        "Write it, for example network: { vpcId: vpc-0a1b2c3d4e5f60718, subnetIds: [subnet-0a1b2c3d4e5f60718] }. About network: Where the tasks run. Default: the account's default VPC of the region.",
    ],
  },
  {
    name: "a database at the port of AWS",
    change: withAws({ network: { databases: [{ port: 443, securityGroupId: GROUP }] } }),
    problems: [
      "provision:aws.network: expected databases at other ports than 443, by which tasks reach AWS, got an object with databases\n" +
        "Write it, for example network: { vpcId: vpc-0a1b2c3d4e5f60718, subnetIds: [subnet-0a1b2c3d4e5f60718] }. About network: Where the tasks run. Default: the account's default VPC of the region.",
    ],
  },
  {
    name: "a database in a group and a range",
    change: withAws({ network: { databases: [{ cidr: "10.0.0.0/16", port: 5432, securityGroupId: GROUP }] } }),
    problems: [
      "provision:aws.network.databases[0]: expected either securityGroupId or cidr, got an object with cidr, port, securityGroupId\n" +
        "Write it, for example { securityGroupId: sg-0a1b2c3d4e5f60718, port: 5432 }.",
    ],
  },
  {
    name: "a database in a range that is none",
    change: withAws({ network: { databases: [{ cidr: "10.0.0.0", port: 5432 }] } }),
    problems: [
      'provision:aws.network.databases[0].cidr: expected a range of IPv4 or IPv6 addresses, got "10.0.0.0"\n' +
        'Write it, for example cidr: "10.0.0.0/16". About cidr: A range of IPv4 or IPv6 addresses.',
    ],
  },
  {
    name: "a way to AWS by two places in one",
    change: withAws({ network: { https: [{ cidr: "10.0.0.0/16", prefixListId: "pl-0a1b2c3d" }] } }),
    problems: [
      "provision:aws.network.https[0]: expected one of securityGroupId, cidr and prefixListId, got an object with cidr, prefixListId\n" +
        'Write it, for example { cidr: "10.0.0.0/16" }.',
    ],
  },
  {
    name: "a zone by its name",
    change: withAws({ network: { excludeZoneIds: ["us-east-1e"] } }),
    problems: [
      'provision:aws.network.excludeZoneIds[0]: expected the id of a zone, such as use1-az3, got "us-east-1e"\n' +
        "Write the id of a zone, such as use1-az3.",
    ],
  },
  {
    name: "a database to open without a port",
    change: withAws({ network: { allowTo: { securityGroupId: GROUP } } }),
    problems: [
      "provision:aws.network.allowTo.port: is missing; expected a whole number from 1 to 65535\n" +
        "Add port, for example port: 5432. About port: The database's TCP port.",
    ],
  },
  {
    name: "a security group by its name",
    change: withAws({ network: { securityGroupIds: ["backups"] } }),
    problems: [
      'provision:aws.network.securityGroupIds[0]: expected the id of a security group: sg-…, got "backups"\n' +
        "Write it, for example sg-0a1b2c3d4e5f60718. About securityGroupIds: The id of a security group.",
    ],
  },
  {
    name: "an endpoint of a service that tasks do not use",
    change: withAws({ network: { endpoints: ["sqs"], subnetIds: [SUBNET], vpcId: VPC } }),
    problems: [
      'provision:aws.network.endpoints[0]: expected "ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm", "sns", "kms" or "s3", got "sqs"\n' +
        "Write it, for example ecr.api.",
    ],
  },
  {
    name: "a subnet by its name",
    change: withAws({ network: { vpcId: VPC, subnetIds: ["private-a"] } }),
    problems: [
      'provision:aws.network.subnetIds[0]: expected the id of a subnet: subnet-…, got "private-a"\n' +
        "Write the id of a subnet: subnet-….",
    ],
  },
  {
    name: "a range of addresses that is none",
    change: withAws({ network: { create: { cidr: "10.0.0.0" } } }),
    problems: [
      'provision:aws.network.create.cidr: expected the first address of an IPv4 range with a prefix of 16 to 26 bits, got "10.0.0.0"\n' +
        'Write it, for example cidr: "10.213.0.0/24". About cidr: Its IPv4 range. Default 10.213.0.0/24.',
    ],
  },
  {
    name: "a range with a byte that is none",
    change: withAws({ network: { create: { cidr: "10.300.0.0/24" } } }),
    problems: [
      'provision:aws.network.create.cidr: expected the first address of an IPv4 range with a prefix of 16 to 26 bits, got "10.300.0.0/24"\n' +
        'Write it, for example cidr: "10.213.0.0/24". About cidr: Its IPv4 range. Default 10.213.0.0/24.',
    ],
  },
  {
    name: "an address within a range",
    change: withAws({ network: { create: { cidr: "10.0.0.7/24" } } }),
    problems: [
      'provision:aws.network.create.cidr: expected the first address of an IPv4 range with a prefix of 16 to 26 bits, got "10.0.0.7/24"\n' +
        'Write it, for example cidr: "10.213.0.0/24". About cidr: Its IPv4 range. Default 10.213.0.0/24.',
    ],
  },
  {
    name: "a port that is none",
    change: withAws({ network: { ports: [54320000] } }),
    problems: [
      "provision:aws.network.ports[0]: expected a whole number from 1 to 65535, got 54320000\n" +
        "Write a whole number from 1 to 65535.",
    ],
  },
  {
    name: "a bucket by its ARN",
    change: withAws({ bucket: { existing: "arn:aws:s3:::acme" } }),
    problems: [
      "provision:aws.bucket.existing: expected a bucket's name: 3 to 63 lower-case letters, digits, '.' and '-', got \"arn:aws:s3:::acme\"\n" +
        "Write it, for example existing: acme-backups. About existing: Name of an existing bucket in this region, which is left unchanged. It must send its events to EventBridge for the alarms. Left out: the stack makes one.",
    ],
  },
  {
    name: "an existing bucket that is to be changed",
    change: withAws({ bucket: { existing: "acme", objectLock: { days: 14 } } }),
    problems: [
      "provision:aws.bucket.objectLock: objectLock is for a bucket that the stack makes, and this one exists; nothing of it is changed\n" +
        "Leave out objectLock, or existing: pulumi config rm --path 'provision:aws.bucket.objectLock'",
    ],
  },
  {
    name: "a bucket that is protected and removable",
    change: withAws({ bucket: { confirmRemoval: "dev", protect: true, removeOnDestroy: true } }),
    problems: [
      "provision:aws.bucket.protect: protect refuses the removal that removeOnDestroy asks for\n" +
        "Leave out one of the two: pulumi config rm --path 'provision:aws.bucket.removeOnDestroy'",
    ],
  },
  {
    name: "a lock without a time",
    change: withAws({ bucket: { objectLock: { mode: "governance" } } }),
    problems: [
      "provision:aws.bucket.objectLock.days: is missing; expected a whole number from 1 to 36500\n" +
        "Add days, for example days: 14. About days: Days for which a new backup cannot be removed.",
    ],
  },
  {
    name: "a lock that nobody can open, unconfirmed",
    change: withAws({ bucket: { objectLock: { days: 14, mode: "compliance" } } }),
    problems: [
      "provision:aws.bucket.objectLock.mode: nobody can undo a lock of mode compliance, not even the account's owner; expected a confirmation\n" +
        "To confirm, write confirmCompliance: true beside days in provision:aws.bucket.objectLock. If not: pulumi config set --path 'provision:aws.bucket.objectLock.mode' governance",
    ],
  },
  {
    name: "a lock that nobody can open, half confirmed",
    change: withAws({ bucket: { objectLock: { confirmCompliance: "yes", days: 14, mode: "compliance" } } }),
    problems: [
      'provision:aws.bucket.objectLock.confirmCompliance: expected true or false, got "yes"\n' +
        "Write confirmCompliance: true, without quotes. About confirmCompliance: With compliance mode: true, because nobody can undo it.",
    ],
  },
  {
    name: "a lock that is one word",
    change: withAws({ bucket: { objectLock: "on" } }),
    problems: [
      'provision:aws.bucket.objectLock: expected "off", or an object with mode and days, got "on"\n' +
        "Write it, for example objectLock: { mode: governance, days: 14 }. About objectLock: Locks every backup against removal, or off. A lock can be added at any time and never removed. Default: governance, for as long as every backup is kept anyway, at most 30 days.",
    ],
  },
  {
    name: "a cold class too early",
    change: withAws({ bucket: { transitions: [{ afterDays: 7, storageClass: "STANDARD_IA" }] } }),
    problems: [
      "provision:aws.bucket.transitions: S3 moves nothing to STANDARD_IA before day 30, and afterDays is 7\n" +
        "Set afterDays to 30 or more, or set storageClass: STANDARD_IA in the job's destination.",
    ],
  },
  {
    name: "a class that cannot be read at once",
    change: withAws({ bucket: { transitions: [{ afterDays: 7, storageClass: "DEEP_ARCHIVE" }] } }),
    problems: [
      'provision:aws.bucket.transitions[0].storageClass: expected "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING" or "GLACIER_IR", got "DEEP_ARCHIVE"\n' +
        "Write it, for example storageClass: GLACIER_IR. About storageClass: The class. Only those that can be read at once, because backups are verified and restored.",
    ],
  },
  {
    name: "a replica nowhere",
    change: withAws({ bucket: { replica: {} } }),
    problems: [
      "provision:aws.bucket.replica: expected either region, or bucketArn and keyArn of an existing bucket, got an empty object\n" +
        "Write it, for example replica: { region: eu-west-1 }. About replica: Keeps a second copy of every backup in another region or account. Default: none.",
    ],
  },
  {
    name: "a replica in a city",
    change: withAws({ bucket: { replica: { region: "Frankfurt" } } }),
    problems: [
      'provision:aws.bucket.replica.region: expected the name of a region, such as eu-central-1, got "Frankfurt"\n' +
        "Write it, for example region: eu-west-1. About region: Makes the second bucket in this other region of the account, with a key of its own there.",
    ],
  },
  {
    name: "the removal of all backups, unconfirmed",
    change: withAws({ bucket: { removeOnDestroy: true } }),
    problems: [
      "provision:aws.bucket.confirmRemoval: expected the stack's name, dev, because removeOnDestroy lets `pulumi destroy` remove every backup\n" +
        "To remove them: pulumi config set --path 'provision:aws.bucket.confirmRemoval' dev\n" +
        "To keep them: pulumi config rm --path 'provision:aws.bucket.removeOnDestroy'",
    ],
  },
  {
    name: "the removal of another stack's backups",
    change: withAws({ bucket: { removeOnDestroy: true, confirmRemoval: "prod" } }),
    problems: [
      "provision:aws.bucket.confirmRemoval: expected the stack's name, dev, because removeOnDestroy lets `pulumi destroy` remove every backup\n" +
        "To remove them: pulumi config set --path 'provision:aws.bucket.confirmRemoval' dev\n" +
        "To keep them: pulumi config rm --path 'provision:aws.bucket.removeOnDestroy'",
    ],
  },
  {
    name: "a switch in quotes",
    change: withAws({ schedules: { enabled: "no" } }),
    problems: [
      'provision:aws.schedules.enabled: expected true or false, got "no"\n' +
        "Write enabled: false, without quotes. About enabled: Whether the schedules start anything; false stops the alarms on late backups too. Default true.",
    ],
  },
  {
    name: "a window of days",
    change: withAws({ schedules: { flexibleMinutes: 2880 } }),
    problems: [
      "provision:aws.schedules.flexibleMinutes: expected a whole number from 0 to 1440, got 2880\n" +
        "Write a whole number from 0 to 1440. About flexibleMinutes: Minutes over which starts are spread, so that not all jobs start at once; 0 for none. Default 5, because monitors wait ten.",
    ],
  },
  {
    name: "a retention that CloudWatch has not",
    change: withAws({ logs: { retentionDays: 100 } }),
    problems: [
      "provision:aws.logs.retentionDays: expected one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653, got 100\n" +
        "Write it, for example retentionDays: 365. About retentionDays: Days for which CloudWatch keeps the tasks' log. Default 365.",
    ],
  },
  {
    name: "an address that is none",
    change: withAws({ alarms: { emails: ["ops"] } }),
    problems: ['provision:aws.alarms.emails[0]: expected an e-mail address, got "ops"\n' + "Write an e-mail address."],
  },
  {
    name: "a topic by its name",
    change: withAws({ alarms: { topicArn: "ops" } }),
    problems: [
      'provision:aws.alarms.topicArn: expected the ARN of a topic: arn:aws:sns:…, got "ops"\n' +
        'Write it, for example topicArn: "arn:aws:sns:us-east-1:123456789012:ops". About topicArn: An existing SNS topic for the alarms, to which CloudWatch and EventBridge may publish. Left out: the stack makes one.',
    ],
  },
  {
    name: "a recovery window that AWS has not",
    change: withAws({ secretRecoveryDays: 3 }),
    problems: [
      "provision:aws.secretRecoveryDays: expected 0, or 7 to 30, got a number that is not shown\n" +
        "Write it, for example secretRecoveryDays: 30. About secretRecoveryDays: Days for which a removed secret can be recovered, 7 to 30; 0 removes it at once. Default 30.",
    ],
  },
  {
    name: "a boundary by its name",
    change: withAws({ permissionsBoundary: "boundary" }),
    problems: [
      'provision:aws.permissionsBoundary: expected the ARN of a policy: arn:aws:iam::…:policy/…, got "boundary"\n' +
        'Write it, for example permissionsBoundary: "arn:aws:iam::123456789012:policy/boundary". About permissionsBoundary: A managed policy that bounds every role of the stack. Default: none.',
    ],
  },
  {
    name: "a path without an end",
    change: withAws({ rolePath: "/backup" }),
    problems: [
      "provision:aws.rolePath: expected a path that begins and ends with '/', got \"/backup\"\n" +
        "Write it, for example rolePath: /backup/. About rolePath: The path of every role of the stack. Default /.",
    ],
  },
  {
    name: "a report by day of the month and day of the week",
    change: withJob({ report: { schedule: { cron: "0 7 1 * 1" }, publish: true } }),
    problems: [
      'provision:jobs[0].report.schedule.cron: "0 7 1 * 1" does not work on the target aws: it names days of the month ("1") and days of the week ("1"), which EventBridge Scheduler cannot; write * for one of the two\n' +
        "For every day at 3:00, for instance: pulumi config set --path 'provision:jobs[0].report.schedule.cron' '0 3 * * *'",
    ],
  },
  {
    name: "a folder as a destination",
    change: withDestination({ kind: "filesystem" }),
    problems: [
      "provision:jobs[0].destinations[0]: the target aws has no lasting disk: a folder is lost when its task ends\n" +
        "Use the stack's bucket: pulumi config set --path 'provision:jobs[0].destinations[0].kind' s3",
    ],
  },
  {
    name: "a folder with a path",
    change: withDestination({ kind: "filesystem", path: "/srv/b" }),
    problems: [
      "provision:jobs[0].destinations[0]: the target aws has no lasting disk: a folder is lost when its task ends\n" +
        "Use the stack's bucket: pulumi config set --path 'provision:jobs[0].destinations[0].kind' s3\n" +
        "pulumi config rm --path 'provision:jobs[0].destinations[0].path'",
    ],
  },
  {
    name: "another service without its bucket",
    change: withDestination({ kind: "s3", endpoint: "https://minio.example.com" }),
    problems: [
      "provision:jobs[0].destinations[0].bucket: is missing; endpoint has no meaning for the stack's own bucket\n" +
        "Name the bucket, or remove endpoint: pulumi config rm --path 'provision:jobs[0].destinations[0].endpoint'",
    ],
  },
  {
    name: "tokens of RDS, for whatever database there is",
    change: withJob({ database: { kind: "postgres", url: { secret: "appUrl" }, auth: "rds-iam" } }),
    problems: [
      'provision:jobs[0].database.auth: on the target aws, expected the one database and user that the task\'s role may connect as, got "rds-iam"\n' +
        "Write auth: { kind: rds-iam, resourceId: db-…, user: … }. The ids: aws rds describe-db-instances --query 'DBInstances[].[DBInstanceIdentifier,DbiResourceId]'; of Aurora: aws rds describe-db-clusters --query 'DBClusters[].[DBClusterIdentifier,DbClusterResourceId]'",
    ],
  },
  {
    name: "tokens of RDS, for a drill",
    change: withJob({ drill: { target: { secret: "appUrl" }, auth: "rds-iam" } }),
    problems: [
      'provision:jobs[0].drill.auth: on the target aws, expected the one database and user that the task\'s role may connect as, got "rds-iam"\n' +
        "Write auth: { kind: rds-iam, resourceId: db-…, user: … }. The ids: aws rds describe-db-instances --query 'DBInstances[].[DBInstanceIdentifier,DbiResourceId]'; of Aurora: aws rds describe-db-clusters --query 'DBClusters[].[DBClusterIdentifier,DbClusterResourceId]'",
    ],
  },
  {
    name: "a database by its name instead of its id, and a user by a wildcard",
    change: withJob({
      database: {
        kind: "postgres",
        url: { secret: "appUrl" },
        auth: { kind: "rds-iam", resourceId: "shop", user: "*" },
      },
    }),
    problems: [
      'provision:jobs[0].database.auth.resourceId: expected the id that RDS itself gave: db-… of an instance, cluster-… of Aurora or prx-… of a proxy, got "shop"\n' +
        "Write it, for example resourceId: db-ABCDEFGHIJKL01234. About resourceId: Id that RDS gave to the database (DbiResourceId; DbClusterResourceId of Aurora, prx-… of a proxy). It is not the database's name.",
      'provision:jobs[0].database.auth.user: expected the user of the connection URL: letters, digits, _ . @ and -, got "*"\n' +
        "Write it, for example user: backup. About user: The user of the connection URL, and the only one that a task on AWS may connect as.",
    ],
  },
  {
    name: "a secret in a file",
    change: withUrl({ file: "/run/secrets/url" }),
    problems: [
      "provision:jobs[0].database.url.file: a task on the target aws has no access to a file of a machine\n" +
        "Use a secret of the stack, { secret: name }, an existing one of Secrets Manager, { arn: arn:aws:secretsmanager:… }, or a parameter of Systems Manager, { ssm: /name }.",
    ],
  },
  {
    name: "a secret in a variable",
    change: withUrl({ env: "APP_URL" }),
    problems: [
      "provision:jobs[0].database.url.env: a task on the target aws has no access to a variable of your own\n" +
        "Use a secret of the stack, { secret: name }, an existing one of Secrets Manager, { arn: arn:aws:secretsmanager:… }, or a parameter of Systems Manager, { ssm: /name }.",
    ],
  },
  {
    name: "a password where a reference belongs, on aws",
    change: withUrl(`postgres://u:${MISTAKE_MARKER}@db/app`),
    problems: [
      "provision:jobs[0].database.url: a secret must not stand here in plain text; expected a reference to a secret: { secret: … }, { env: … }, { file: … }, { arn: … } or { ssm: … }\n" +
        "Set the secret with: pulumi config set --secret --path 'provision:secrets.NAME', where NAME is a name of your choice, and write url: { secret: NAME } here. If others may have seen the secret, change it where it comes from.",
    ],
  },
  {
    name: "other keys than the stack's in its bucket",
    change: {
      ...awsConfig,
      jobs: [
        {
          ...job,
          destinations: [
            { kind: "s3", sse: "AES256" },
            { kind: "s3", prefix: "b", sse: { kmsKeyId: "alias/own" } },
          ],
        },
      ],
    },
    problems: [
      "provision:jobs[0].destinations[0].sse: the stack's bucket refuses every object that is encrypted with AES256, and encrypts all of them with the stack's key\n" +
        "Leave it out: pulumi config rm --path 'provision:jobs[0].destinations[0].sse'",
      "provision:jobs[0].destinations[1].sse: the stack's bucket refuses every object that is encrypted with another key, and encrypts all of them with the stack's key\n" +
        "Leave it out: pulumi config rm --path 'provision:jobs[0].destinations[1].sse'",
    ],
  },
  {
    name: "the removal of versions in the stack's bucket",
    change: withDestination({ kind: "s3", removeVersions: true }),
    problems: [
      "provision:jobs[0].destinations[0].removeVersions: the stack's bucket lets no job remove versions, and its lifecycle ends what prune has hidden\n" +
        "Leave it out: pulumi config rm --path 'provision:jobs[0].destinations[0].removeVersions'",
    ],
  },
  {
    name: "a job's lock in a bucket without one",
    change: {
      ...withAws({ bucket: { objectLock: "off" } }),
      jobs: [{ ...job, destinations: [{ kind: "s3", objectLock: { days: 7, mode: "governance" } }] }],
    },
    problems: [
      "provision:jobs[0].destinations[0].objectLock: the stack's bucket has no Object Lock (bucket.objectLock is off) and would refuse every upload\n" +
        "Let the bucket have one: pulumi config rm --path 'provision:aws.bucket.objectLock'\n" +
        "Or have no lock: pulumi config rm --path 'provision:jobs[0].destinations[0].objectLock'",
    ],
  },
  {
    name: "a job's lock that nobody can open, unconfirmed",
    change: withDestination({ kind: "s3", objectLock: { days: 7, mode: "compliance" } }),
    problems: [
      "provision:jobs[0].destinations[0].objectLock.mode: nobody can undo a lock of mode compliance, not even the account's owner; expected a confirmation\n" +
        "To confirm, write confirmCompliance: true beside days in provision:aws.bucket.objectLock. If not: pulumi config set --path 'provision:jobs[0].destinations[0].objectLock.mode' governance",
    ],
  },
  {
    name: "a job's lock that nobody can open in a bucket that is to be removed",
    change: {
      ...withAws({ bucket: { confirmRemoval: "dev", removeOnDestroy: true } }),
      jobs: [{ ...job, destinations: [{ kind: "s3", objectLock: { days: 7, mode: "compliance" } }] }],
    },
    problems: [
      "provision:jobs[0].destinations[0].objectLock.mode: nobody can remove a backup with a lock of mode compliance, and removeOnDestroy asks for that\n" +
        "Use the other mode: pulumi config set --path 'provision:jobs[0].destinations[0].objectLock.mode' governance",
    ],
  },
  {
    name: "classes that cannot follow each other",
    change: withAws({
      bucket: {
        transitions: [
          { afterDays: 90, storageClass: "STANDARD_IA" },
          { afterDays: 30, storageClass: "GLACIER_IR" },
        ],
      },
    }),
    problems: [
      "provision:aws.bucket.transitions: S3 moves nothing from GLACIER_IR (after 30 days) to STANDARD_IA (after 90)\n" +
        "Write classes that can follow each other, for example [{ storageClass: GLACIER_IR, afterDays: 30 }].",
    ],
  },
  {
    name: "classes that follow each other too soon",
    change: withAws({
      bucket: {
        transitions: [
          { afterDays: 30, storageClass: "STANDARD_IA" },
          { afterDays: 45, storageClass: "GLACIER_IR" },
        ],
      },
    }),
    problems: [
      "provision:aws.bucket.transitions: S3 moves nothing to GLACIER_IR (after 45 days) before it has been in STANDARD_IA (after 30) for 30 days\n" +
        "Write classes that can follow each other, for example [{ storageClass: GLACIER_IR, afterDays: 30 }].",
    ],
  },
  {
    name: "an existing role by its name",
    change: withAws({ roles: { execution: "backup-tasks" } }),
    problems: [
      'provision:aws.roles.execution: expected the ARN of a role: arn:aws:iam::…:role/…, got "backup-tasks"\n' +
        'Write it, for example execution: "arn:aws:iam::123456789012:role/backup-tasks". About execution: ECS starts the tasks with it: it pulls the image, reads the secrets and writes the log. Default: the stack makes one.',
    ],
  },
  {
    name: "an existing role for a job that there is not",
    change: withAws({ roles: { jobs: { ap: { backup: "arn:aws:iam::123456789012:role/ap-backup" } } } }),
    problems: [
      "provision:aws.roles.jobs.ap: there is no job of that name; there are app\n" +
        "Did you mean app? If not: Remove it: pulumi config rm --path 'provision:aws.roles.jobs.ap'",
    ],
  },
  {
    name: "a replica in a region that there is not",
    change: withAws({ bucket: { replica: { region: "eu-wset-1" } } }),
    problems: [
      'provision:aws.bucket.replica.region: "eu-wset-1" is no region that is known; expected its code, such as eu-central-1. For one that is newer: pulumi config set aws:skipRegionValidation true\n' +
        "pulumi config set --path 'provision:aws.bucket.replica.region' eu-west-1",
    ],
  },
  {
    name: "a replica in the stack's own region",
    change: withAws({ bucket: { replica: { region: "us-east-1" } } }),
    problems: [
      "provision:aws.bucket.replica.region: us-east-1 is the stack's own region; a second copy belongs into another one\n" +
        "For instance: pulumi config set --path 'provision:aws.bucket.replica.region' eu-west-1",
    ],
  },
  {
    name: "a person that is told twice",
    change: withAws({ alarms: { emails: ["ops@example.com", "Ops@example.com"] } }),
    problems: [
      "provision:aws.alarms.emails[1]: Ops@example.com is the same address as emails[0]; each gets every alarm once\n" +
        "pulumi config rm --path 'provision:aws.alarms.emails[1]'",
    ],
  },
  {
    name: "a topic of another region",
    change: withAws({ alarms: { topicArn: "arn:aws:sns:eu-west-1:123456789012:ops" } }),
    problems: [
      "provision:aws.alarms.topicArn: the topic is in eu-west-1, and CloudWatch tells only topics of its own region, us-east-1\n" +
        "Name one of us-east-1, or let the stack make one: pulumi config rm --path 'provision:aws.alarms.topicArn'",
    ],
  },
  {
    name: "starts that may be later than a backup",
    change: withAws({ schedules: { flexibleMinutes: 180 } }),
    problems: [
      "provision:aws.alarms.graceHours: a start may be 180 minutes late (schedules.flexibleMinutes), which is not less than the 3 hours that a backup may be late\n" +
        "pulumi config set --path 'provision:aws.alarms.graceHours' 6",
    ],
  },
  {
    name: "a tag of AWS's own",
    change: withAws({ tags: { "aws:team": "data" } }),
    problems: [
      'provision:aws.tags["aws:team"]: only AWS itself may set tags whose keys begin with aws:\n' +
        "Choose another key: pulumi config rm --path 'provision:aws.tags[\"aws:team\"]'",
    ],
  },
  {
    name: "several mistakes at once, on aws",
    change: {
      ...awsConfig,
      "aws:region": undefined,
      jobs: [
        {
          ...job,
          name: "A",
          database: { kind: "postgres", url: { env: "X" } },
          destinations: [{ kind: "filesystem" }],
        },
      ],
      aws: { imag: "x", size: { cpu: 3 }, bucket: { removeOnDestroy: true } },
    },
    problems: [
      "provision:jobs[0].name: expected 1 to 40 lower-case letters, digits and '-', not at the ends, got \"A\"\n" +
        "Write it, for example name: app. About name: The job's name, unique in its stack.",
      "aws:region: is missing; expected the region in which everything of the stack is made\n" +
        "pulumi config set aws:region eu-central-1",
      "provision:jobs[0].database.url.env: a task on the target aws has no access to a variable of your own\n" +
        "Use a secret of the stack, { secret: name }, an existing one of Secrets Manager, { arn: arn:aws:secretsmanager:… }, or a parameter of Systems Manager, { ssm: /name }.",
      "provision:aws.size.cpu: expected one of 256, 512, 1024, 2048, 4096, 8192, 16384, got 3\n" +
        "Write it, for example cpu: 1024. About cpu: CPU units, 1024 for one vCPU.",
      "provision:aws.imag: there is no such field; allowed are image, build, architecture, size, sizes, network, clusterArn, keyArn, bucket, schedules, logs, alarms, secretRecoveryDays, secretKeyArns, readers, holders, roles, permissionsBoundary, rolePath and tags\n" +
        "Did you mean image?",
      "provision:aws.bucket.confirmRemoval: expected the stack's name, dev, because removeOnDestroy lets `pulumi destroy` remove every backup\n" +
        "To remove them: pulumi config set --path 'provision:aws.bucket.confirmRemoval' dev\n" +
        "To keep them: pulumi config rm --path 'provision:aws.bucket.removeOnDestroy'",
    ],
  },
];
