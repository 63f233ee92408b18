import type { RecordedResource } from "../helpers/mocks.ts";

type Values = Readonly<Record<string, unknown>>;

/** Arguments whose keys are a person's own, and no names of arguments. */
const MAPS = ["tags"];

/**
 * What a program has registered, as the plan of Terraform that scanners read: Pulumi's AWS provider is made of Terraform's, so that
 * types and arguments differ in how they are written alone. A single block is a list of one there.
 *
 * A scanner joins a bucket with its companions by the ARNs and names that the mocks give.
 */
export function terraformPlan(recorded: readonly RecordedResource[]): object {
  const resources = recorded.filter(({ type }) => type.startsWith("aws:")).map(named);
  return {
    format_version: "1.2",
    terraform_version: "1.9.0",
    planned_values: {
      root_module: {
        resources: resources.map(({ address, type, name, values }) => ({
          address,
          mode: "managed",
          type,
          name,
          values,
        })),
      },
    },
    resource_changes: resources.map(({ address, type, name, values }) => ({
      address,
      mode: "managed",
      type,
      name,
      change: { actions: ["create"], before: null, after: values, after_unknown: {} },
    })),
    configuration: {
      root_module: {
        resources: resources.map(({ address, type, name, inputs }) => ({
          address,
          mode: "managed",
          type,
          name,
          expressions: referencesOf(inputs, resources),
        })),
      },
    },
  };
}

interface Named {
  readonly address: string;
  readonly type: string;
  readonly name: string;
  readonly values: unknown;
  readonly inputs: Values;
  /** What other resources name it by. */
  readonly outputs: readonly string[];
}

function named({ type, name, inputs }: RecordedResource): Named {
  const [, service = "", kind = ""] = /^aws:(\w+)\/\w+:(\w+)$/.exec(type) ?? [];
  // The one type that Pulumi has shortened.
  const whole = kind.replace(/ReplicationConfig$/, "ReplicationConfiguration");
  const terraform = service === "ec2" ? `aws_${snake(whole)}` : `aws_${service}_${snake(whole)}`;
  const own = name.replaceAll(/[^\w-]/g, "_");
  return {
    address: `${terraform}.${own}`,
    type: terraform,
    name: own,
    values: { ...(block(inputs) as object), ...(inputs.tags !== undefined && { tags: inputs.tags }) },
    inputs,
    outputs: [name, `${name}-id`],
  };
}

function referencesOf(inputs: Values, resources: readonly Named[]): object {
  const entries = Object.entries(inputs).flatMap(([argument, value]): [string, object][] => {
    if (typeof value !== "string") return [];
    const found = resources.find(({ outputs }) => outputs.includes(value));
    return found === undefined ? [] : [[snake(argument), { references: [`${found.address}.id`, found.address] }]];
  });
  return Object.fromEntries(entries);
}

function block(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(block);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !MAPS.includes(key))
      .map(([key, item]) => {
        // Pulumi's plural is of blocks that Terraform repeats.
        const repeated = Array.isArray(item) && item.some(isObject);
        const argument = repeated ? snake(key).replace(/ies$/, "y").replace(/s$/, "") : snake(key);
        return [argument, isObject(item) ? [block(item)] : block(item)];
      }),
  );
}

function isObject(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function snake(name: string): string {
  return name.replaceAll(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}
