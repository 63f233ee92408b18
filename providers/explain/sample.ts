import type { Shape, Shapes } from "./shape.ts";

/**
 * An example of what is allowed: the schema's own, or one put together from those of its parts. Nothing where a part that is
 * required has none.
 */
export function sample(shape: Shape, shapes: Shapes): unknown {
  const [only = shape] = shapes.alternatives(shape);
  const [example] = shape.examples ?? only.examples ?? [];
  if (example !== undefined) return example;
  if (only.const !== undefined) return only.const;
  if (only.enum !== undefined) return only.enum[0];
  if (only.type === "boolean") return true;
  if (only.type === "array") {
    const entry = only.items === undefined ? undefined : sample(shapes.resolve(only.items), shapes);
    return entry === undefined ? undefined : [entry];
  }
  return only.properties === undefined ? undefined : sampleObject(only.properties, only.required ?? [], shapes);
}

/** The required fields, or where none is required all that have examples. */
function sampleObject(
  properties: Readonly<Record<string, Shape>>,
  required: readonly string[],
  shapes: Shapes,
): Record<string, unknown> | undefined {
  const names = required.length > 0 ? required : Object.keys(properties);
  const fields = names.map((name) => [name, sample(shapes.resolve(properties[name] ?? {}), shapes)] as const);
  const known = fields.filter(([, value]) => value !== undefined);
  if (known.length === 0 || (required.length > 0 && known.length < fields.length)) return undefined;
  return Object.fromEntries(known);
}

/** A value as YAML on one line. */
export function inYaml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inYaml).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).map(([name, field]) => `${name}: ${inYaml(field)}`);
    return `{ ${fields.join(", ")} }`;
  }
  const plain =
    typeof value === "string" &&
    /^[A-Za-z/][\w./-]*$/.test(value) &&
    !/^(true|false|yes|no|on|off|null|y|n)$/i.test(value);
  return plain ? value : JSON.stringify(value);
}
