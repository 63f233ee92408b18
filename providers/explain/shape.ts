import { z } from "zod";

/** What is used of JSON Schema, which is how a schema is looked into. */
export interface Shape {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Shape>>;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly allOf?: readonly Shape[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | boolean;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly description?: string;
  readonly examples?: readonly unknown[];
}

/** A schema of ours, opened for looking up what is allowed at a path. */
export class Shapes {
  readonly #root: Shape;

  constructor(schema: z.ZodType) {
    this.#root = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Shape;
  }

  /** What is allowed at a path of an input. Where there are kinds, the input says which one counts. */
  at(path: readonly PropertyKey[], input: unknown): Shape {
    let shape = this.resolve(this.#root);
    let value = input;
    for (const part of path) {
      shape = this.choose(shape, value);
      shape = this.resolve((typeof part === "number" ? shape.items : fieldShape(shape, String(part))) ?? {});
      value = (value as Record<PropertyKey, unknown> | null | undefined)?.[part];
    }
    return shape;
  }

  /** The alternatives of a shape, those of an alternative included; the shape itself where there are none. */
  alternatives(shape: Shape): Shape[] {
    const own = shape.oneOf ?? shape.anyOf;
    if (own === undefined) return [shape];
    return own.flatMap((alternative) => this.alternatives(this.resolve(alternative)));
  }

  /** The alternative that a value was meant as; the shape itself where that is not clear. */
  choose(shape: Shape, value: unknown): Shape {
    const alternatives = this.alternatives(shape);
    const [only] = alternatives;
    if (only !== undefined && alternatives.length === 1) return only;
    if (Array.isArray(value)) return alternatives.find((alternative) => alternative.type === "array") ?? shape;
    if (typeof value !== "object" || value === null) return shape;
    const given = value as Record<string, unknown>;
    const kinds = alternatives.filter((alternative) => constants(alternative).length > 0);
    if (kinds.length === 0) return alternatives.find((alternative) => hasFieldOf(alternative, given)) ?? shape;
    return kinds.find((alternative) => constants(alternative).some(([name, kind]) => given[name] === kind)) ?? shape;
  }

  /** Of an object's fields those that hold objects with a field of that name. */
  parentsOf(shape: Shape, name: string): string[] {
    return Object.entries(shape.properties ?? {}).flatMap(([parent, child]) =>
      this.alternatives(this.resolve(child)).some(({ properties }) => properties !== undefined && name in properties)
        ? [parent]
        : [],
    );
  }

  /** Whether a reference to a secret is wanted here, and so never a plain text. */
  isReference(shape: Shape): boolean {
    const alternatives = this.alternatives(shape);
    return (
      alternatives.every(({ properties }) => properties !== undefined && Object.keys(properties).length === 1) &&
      alternatives.some(({ properties }) => properties !== undefined && "secret" in properties)
    );
  }

  /** The shape itself instead of a reference to it. */
  resolve(shape: Shape): Shape {
    const [only] = shape.allOf ?? [];
    if (only !== undefined) return this.resolve({ ...only, ...omit(shape, "allOf") });
    if (shape.$ref === undefined) return shape;
    const name = shape.$ref.replace("#/$defs/", "");
    return this.resolve({ ...(this.#root.$defs?.[name] ?? {}), ...omit(shape, "$ref") });
  }
}

/** What is allowed in a field of an object: its own shape, or in a record the one of every entry. */
function fieldShape({ properties, additionalProperties }: Shape, name: string): Shape | undefined {
  return properties?.[name] ?? (typeof additionalProperties === "object" ? additionalProperties : undefined);
}

/** The fields of an object that have one allowed value, such as its kind. */
export function constants(shape: Shape): [string, unknown][] {
  return Object.entries(shape.properties ?? {}).flatMap(([name, child]) =>
    child.const === undefined ? [] : [[name, child.const] as [string, unknown]],
  );
}

function hasFieldOf({ properties = {} }: Shape, given: object): boolean {
  return Object.keys(properties).some((name) => name in given);
}

function omit(shape: Shape, name: keyof Shape): Shape {
  return Object.fromEntries(Object.entries(shape).filter(([key]) => key !== name));
}
