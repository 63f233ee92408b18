import * as pulumi from "@pulumi/pulumi";
import { isObject } from "./rules/raw.ts";

/** Zod's types allow undefined wherever a field may be left out, but what was JSON holds none. */
export type FromJson<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [Key in keyof T]: FromJson<Exclude<T[Key], undefined>> }
    : T;

/** Some fields as inputs, and the entries of lists too. */
export type Later<T, Keys extends string> = Omit<T, Keys> & {
  readonly [Key in keyof Pick<T, Keys & keyof T>]: Exclude<T[Key], undefined> extends readonly (infer Item)[]
    ? pulumi.Input<readonly pulumi.Input<Item>[]>
    : pulumi.Input<Exclude<T[Key], undefined>>;
};

/** Where in the settings a value is. */
export type Path = readonly (string | number)[];

/**
 * Checks a target's settings, of which other resources may make some: with examples in their place first, and with each value once
 * it is known.
 *
 * @param own the settings with outputs in them
 * @param mayBeLater the paths, with dots, at which outputs may stand
 * @param exampleOf what stands for an output until it is known
 * @returns the checked settings, and the target's own with the outputs back in their places
 * @throws RunError where an output stands elsewhere; what `check` throws
 */
export function checkedLater<Target extends string, Settings extends Readonly<Record<Target, unknown>>>(
  target: Target,
  own: unknown,
  mayBeLater: RegExp,
  exampleOf: (path: Path) => unknown,
  check: (own: unknown) => Settings,
): { settings: Settings; complete: unknown } {
  const outputs: [Path, pulumi.Output<unknown>][] = [];
  const example = replaceOutputs(own, (path, output) => {
    outputs.push([path, output]);
    return exampleOf(path);
  });
  const decisive = outputs.map(([path]) => path.join(".")).filter((path) => !mayBeLater.test(path));
  if (decisive.length > 0) {
    throw new pulumi.RunError(
      `${decisive.map((path) => `${target}.${path}`).join(", ")}: this decides which resources there are, and so cannot come ` +
        "from one. Write the value itself.",
    );
  }
  const settings = check(example);
  const complete = outputs.reduce<unknown>((values, [path, output]) => {
    const later = output.apply((value) => {
      check(replaceAt(example, path, value));
      return value;
    });
    return replaceAt(values, path, later);
  }, settings[target]);
  return { settings, complete };
}

/** A copy in which something else is in the place of each output. */
function replaceOutputs(
  value: unknown,
  replace: (path: Path, output: pulumi.Output<unknown>) => unknown,
  path: Path = [],
): unknown {
  if (pulumi.Output.isInstance(value) || value instanceof Promise) return replace(path, pulumi.output(value));
  if (Array.isArray(value)) return value.map((item, index) => replaceOutputs(item, replace, [...path, index]));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, replaceOutputs(item, replace, [...path, key])]),
  );
}

/** A copy with another value at a path that is there. */
function replaceAt(value: unknown, [first, ...rest]: Path, other: unknown): unknown {
  if (first === undefined) return other;
  if (Array.isArray(value))
    return value.map((item: unknown, index) => (index === first ? replaceAt(item, rest, other) : item));
  const fields = value as Record<string, unknown>;
  return { ...fields, [first]: replaceAt(fields[first], rest, other) };
}
