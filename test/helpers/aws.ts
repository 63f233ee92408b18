import type * as pulumi from "@pulumi/pulumi";
import type { RecordedResource } from "./mocks.ts";

/** A statement of a policy as it goes to AWS. */
export interface PolicyStatement {
  readonly Sid: string;
  readonly Effect: string;
  readonly Principal?: unknown;
  readonly Action: unknown;
  readonly Resource?: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The statements of a policy's JSON, by their ids. */
export function statements(json: unknown): Record<string, PolicyStatement> {
  const document = JSON.parse(String(json)) as { Version: string; Statement: PolicyStatement[] };
  return Object.fromEntries(document.Statement.map((statement) => [statement.Sid, statement]));
}

/** The inputs of the only resource of a type, for instance `s3/bucketPolicy:BucketPolicy`, whose name matches. */
export function inputsOf(
  recorded: readonly RecordedResource[],
  type: string,
  name = /(?:)/,
): Readonly<Record<string, unknown>> {
  const found = recorded.filter((resource) => resource.type === `aws:${type}` && name.test(resource.name));
  const [only] = found;
  if (only === undefined || found.length > 1) {
    throw new Error(
      `${found.length} resources are of type ${type} and named like ${name}: ${names(recorded).join(", ")}`,
    );
  }
  return only.inputs;
}

/** The types, and names, of all resources of AWS, sorted. */
export function names(recorded: readonly RecordedResource[]): string[] {
  return recorded
    .filter(({ type }) => type.startsWith("aws:"))
    .map(({ type, name }) => `${type.slice(type.lastIndexOf(":") + 1)} ${name}`)
    .sort();
}

/** Options that watch which options a component's children get; `of` gives them by the child's name. */
export function watchOptions(): {
  readonly opts: pulumi.ComponentResourceOptions;
  of(name: string): pulumi.CustomResourceOptions;
} {
  const seen = new Map<string, pulumi.CustomResourceOptions>();
  const transformations: pulumi.ResourceTransformation[] = [
    ({ name, opts }) => {
      seen.set(name, opts);
      return undefined;
    },
  ];
  return {
    opts: { transformations },
    of(name) {
      const found = seen.get(name);
      if (found === undefined) throw new Error(`There is no child ${name}; there are ${[...seen.keys()].join(", ")}`);
      return found;
    },
  };
}

/** A name of the 40 characters that a stack or a job may have at most. */
export const longName = (start: string): string => start.padEnd(40, "x");

/** Forty characters of a stack's name, and of another one's that differs only in the last. */
export const longStacks = [`${"s".repeat(39)}1`, `${"s".repeat(39)}2`] as const;
