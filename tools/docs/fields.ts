/** What is used of JSON Schema here. */
export interface Shape {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Shape>>;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Shape | boolean;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
}

/** A field of the configuration, with its path: `retention.last`, `drill.checks[].name`. */
export interface Field {
  readonly path: string;
  readonly type: string;
  readonly meaning: string;
}

/** A table of fields: what belongs to a whole schema, or to one kind of a family. */
export interface FieldTable {
  /** The path of the family and the kind, `destinations[] kind: s3`; undefined for the schema itself. */
  readonly kind: string | undefined;
  readonly meaning: string;
  readonly fields: readonly Field[];
}

/** A schema that many fields share, and that has a section of its own: its fields are not repeated in each of them. */
const SECRET = "SecretRef";

/** What people call the types of JSON Schema. */
const TYPES: Readonly<Record<string, string>> = { string: "text", boolean: "true or false", integer: "whole number" };

/** All fields of a schema, those of each kind in a table of their own. */
export function fieldTables(schema: Shape): FieldTable[] {
  const definitions = schema.$defs ?? {};
  const kinds = new Map<string, FieldTable>();
  const nameOf = (shape: Shape) => shape.$ref?.split("/").at(-1);
  const resolve = (shape: Shape): Shape => {
    const found = definitions[nameOf(shape) ?? ""];
    return found === undefined
      ? shape
      : { ...resolve(found), ...(shape.description && { description: shape.description }) };
  };
  const variantsOf = ({ anyOf = [], oneOf = [] }: Shape) => [...anyOf, ...oneOf];

  function typeOf(shape: Shape): string {
    if (nameOf(shape) === SECRET) return "[secret](#secrets)";
    const { type, enum: choices, const: only, items, additionalProperties, ...rest } = resolve(shape);
    if (only !== undefined) return `\`${typeof only === "string" ? only : JSON.stringify(only)}\``;
    if (choices !== undefined) return choices.map((choice) => `\`${String(choice)}\``).join(" or ");
    const variants = variantsOf(rest);
    if (variants.some(isKind)) return "one of the kinds below";
    if (variants.length > 0) return [...new Set(variants.map(typeOf))].join(" or ");
    if (type === "array" && items !== undefined) return `list of ${typeOf(items)}`;
    if (type === "object") return typeof additionalProperties === "object" ? "fields by name" : "fields";
    const types = typeof type === "string" ? [type] : (type ?? ["any value"]);
    return types.map((each) => TYPES[each] ?? each).join(" or ");
  }

  const isKind = (shape: Shape) => resolve(shape).properties?.kind?.const !== undefined;

  /** The fields of an object; `prefix` is its own path with a dot, or empty. */
  function fieldsOf({ properties = {}, required = [] }: Shape, prefix: string): Field[] {
    return Object.entries(properties).flatMap(([name, shape]) => {
      const { description = "" } = resolve(shape);
      const type = `${typeOf(shape)}${required.includes(name) ? ", required" : ""}`;
      return [{ path: prefix + name, type, meaning: description }, ...below(shape, prefix + name)];
    });
  }

  /** The fields inside of a field. */
  function below(shape: Shape, path: string): Field[] {
    if (nameOf(shape) === SECRET) return [];
    const { items, additionalProperties, ...own } = resolve(shape);
    if (items !== undefined) return below(items, `${path}[]`);
    const variants = variantsOf(own);
    for (const variant of variants.filter(isKind)) addKind(resolve(variant), path);
    if (typeof additionalProperties === "object") return below(additionalProperties, `${path}.NAME`);
    const others: readonly Shape[] = [own, ...variants.filter((each) => !isKind(each)).map(resolve)];
    return others.flatMap((each) => (each.items === undefined ? fieldsOf(each, `${path}.`) : below(each, path)));
  }

  function addKind({ properties = {}, ...rest }: Shape, path: string): void {
    const { kind, ...others } = properties;
    const title = `${path.replace(/\[\]$/, "")}: ${String(kind?.const)}`;
    if (kinds.has(title)) return;
    const found: Field[] = [];
    kinds.set(title, { kind: title, meaning: kind?.description ?? "", fields: found });
    found.push(...fieldsOf({ ...rest, properties: others }, ""));
  }

  const root = resolve(schema);
  const fields = [root, ...variantsOf(root).map(resolve)].flatMap((each) => fieldsOf(each, ""));
  return [{ kind: undefined, meaning: "", fields }, ...kinds.values()];
}
