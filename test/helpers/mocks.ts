import * as pulumi from "@pulumi/pulumi";

/** A resource as a program registered it. */
export interface RecordedResource {
  readonly type: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

/** What a function of a provider takes, and what it answers. */
type Answer = Readonly<Record<string, unknown>>;

/** A secret input as it goes to the engine. */
interface SecretInput {
  readonly value: unknown;
}

/** The key and value that mark a secret in what goes to the engine. */
const SECRET_KEY = "4dabf18193072939515e22adb298388d";
const SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270";

/** What the AWS provider says of the account. */
const awsAnswers: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "aws:index/getPartition:getPartition": { partition: "aws", dnsSuffix: "amazonaws.com" },
  "aws:index/getCallerIdentity:getCallerIdentity": {
    accountId: "123456789012",
    arn: "arn:aws:sts::123456789012:assumed-role/deploy/ci",
  },
  "aws:index/getRegion:getRegion": { id: "eu-central-1", region: "eu-central-1" },
};

/** The part of an ARN after the service, for those types whose ARN is not `<region>:<account>:<type>/<name>`. */
const arnEnds: Readonly<Record<string, (name: string, inputs: Readonly<Record<string, unknown>>) => string>> = {
  "aws:ecs/cluster:Cluster": (name) => `ecs:eu-central-1:123456789012:cluster/${name}`,
  "aws:s3/bucket:Bucket": (name) => `s3:::${name}`,
  "aws:kms/key:Key": (name) => `kms:eu-central-1:123456789012:key/${name}`,
  "aws:iam/role:Role": (name) => `iam::123456789012:role/${name}`,
  "aws:sqs/queue:Queue": (name) => `sqs:eu-central-1:123456789012:${name}`,
  "aws:cloudwatch/logGroup:LogGroup": (name) => `logs:eu-central-1:123456789012:log-group:${name}`,
  "aws:scheduler/scheduleGroup:ScheduleGroup": (name) => `scheduler:eu-central-1:123456789012:schedule-group/${name}`,
  "aws:sfn/stateMachine:StateMachine": (name) => `states:eu-central-1:123456789012:stateMachine:${name}`,
  "aws:ecs/taskDefinition:TaskDefinition": (_, { family }) =>
    `ecs:eu-central-1:123456789012:task-definition/${String(family)}:1`,
};

/** What AWS adds to a resource: a name where none was given, and an ARN. */
function awsState(type: string, name: string, inputs: Readonly<Record<string, unknown>>) {
  const [, module = "", kind = ""] = /^aws:(\w+)\/\w+:(\w+)$/.exec(type) ?? [];
  const end = arnEnds[type]?.(name, inputs) ?? `${module}:eu-central-1:123456789012:${kind}/${name}`;
  return { name, arn: `arn:aws:${end}` };
}

/** Puts mocks in the engine's place; returns the list that fills up with what is registered. */
export async function mockEngine(
  options: {
    readonly preview?: boolean;
    readonly stdout?: (name: string) => string;
    /** What functions of providers answer, by their token; those on AWS's account have an answer anyway. */
    readonly calls?: Readonly<Record<string, Answer | ((inputs: Answer) => Answer)>>;
    /** Gets each function of a provider that is called, with what it is asked. */
    readonly asked?: (token: string, inputs: Answer) => void;
    /** Gets, of each resource and each function that is called, its type or token and the provider that serves it. */
    readonly served?: (what: string, provider: string | undefined) => void;
    /** What AWS says of resources once they exist, by their type, beside a name and an ARN; a function gets the resource's name. */
    readonly states?: Readonly<
      Record<string, Readonly<Record<string, unknown>> | ((name: string) => Readonly<Record<string, unknown>>)>
    >;
  } = {},
): Promise<RecordedResource[]> {
  const recorded: RecordedResource[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs, provider }) => {
        options.served?.(type, provider);
        const record = inputs as Record<string, unknown>;
        recorded.push({ type, name, inputs: record });
        const id = `${name}-id`;
        if (options.preview === true) return { id, state: record };
        if (type.startsWith("aws:"))
          return {
            id,
            state: { ...awsState(type, name, record), ...stateOf(options.states?.[type], name), ...record },
          };
        return { id, state: { ...record, stdout: options.stdout?.(name) ?? "", stderr: "" } };
      },
      call: ({ token, inputs, provider }) => {
        options.served?.(token, provider);
        options.asked?.(token, inputs as Answer);
        const answer = options.calls?.[token] ?? awsAnswers[token] ?? {};
        return typeof answer === "function" ? answer(inputs as Answer) : answer;
      },
    },
    "provision",
    "dev",
    options.preview ?? false,
    "organization",
  );
  return recorded;
}

function stateOf<T>(state: T | ((name: string) => T) | undefined, name: string): T | undefined {
  return typeof state === "function" ? (state as (name: string) => T)(name) : state;
}

/** The value of an output. */
export function unwrap<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => {
    output.apply((value) => {
      resolve(value);
    });
  });
}

/** The value of an output, or why it has none. The SDK has this, but leaves it out of its types. */
export function promised(output: unknown): Promise<unknown> {
  const parts = output as {
    promise(): Promise<unknown>;
    allResources(): Promise<unknown>;
    readonly isKnown: Promise<boolean>;
    readonly isSecret: Promise<boolean>;
  };
  // Each of them fails where the value does.
  for (const part of [parts.isKnown, parts.isSecret, parts.allResources()]) part.catch(() => undefined);
  return parts.promise();
}

/** Waits until everything that a component registers is registered. */
export async function registered(...resources: readonly pulumi.Resource[]): Promise<void> {
  await Promise.all(resources.map((resource) => unwrap(resource.urn)));
  await (pulumi.runtime as unknown as { waitForRPCs(): Promise<void> }).waitForRPCs();
}

/** Whether an input went to the engine as a secret. */
export function isSecret(input: unknown): input is SecretInput {
  return typeof input === "object" && input !== null && (input as Record<string, unknown>)[SECRET_KEY] === SECRET_MARK;
}
