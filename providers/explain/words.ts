import { constants } from "./shape.ts";
import type { Shape, Shapes } from "./shape.ts";

/** What is allowed, in words: `a whole number from 0 to 3650`. */
export function inWords(shape: Shape, shapes: Shapes): string {
  const alternatives = shapes.alternatives(shape);
  if (alternatives.length > 1) return alternativesInWords(alternatives, shapes);
  const [only = shape] = alternatives;
  if (only.const !== undefined) return JSON.stringify(only.const);
  if (only.enum !== undefined)
    return joinWords(
      only.enum.map((value) => JSON.stringify(value)),
      "or",
    );
  switch (only.type) {
    case "integer":
      return `a whole number${range(only.minimum, only.maximum)}`;
    case "number":
      return `a number${range(only.minimum, only.maximum)}`;
    case "boolean":
      return "true or false";
    case "string":
      return `a text${size(only.minLength, only.maxLength, "character")}`;
    case "array":
      return `a list${size(only.minItems, only.maxItems, "entry")}`;
    case "object":
      return objectInWords(only);
    default:
      return "something else";
  }
}

/** `a`, `a and b`, `a, b and c`. */
export function joinWords(words: readonly string[], last: "and" | "or"): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} ${last} ${words.at(-1) ?? ""}`;
}

function alternativesInWords(alternatives: readonly Shape[], shapes: Shapes): string {
  const kinds = alternatives.flatMap((alternative) => constants(alternative).filter(([name]) => name === "kind"));
  const rest = alternatives.filter((alternative) => constants(alternative).length === 0);
  const object =
    kinds.length > 0
      ? [
          `an object with kind ${joinWords(
            kinds.map(([, kind]) => JSON.stringify(kind)),
            "or",
          )}`,
        ]
      : [];
  const others = rest.map((alternative) =>
    alternative.type === "array" ? "a list of them" : inWords(alternative, shapes),
  );
  return joinWords([...object, ...others], "or");
}

function objectInWords(shape: Shape): string {
  const kind = shape.properties?.kind?.const;
  if (kind !== undefined) return `an object with kind ${JSON.stringify(kind)}`;
  const required = shape.required ?? [];
  if (required.length > 0) return `an object with ${joinWords(required, "and")}`;
  const names = Object.keys(shape.properties ?? {});
  if (names.length === 0) return "an object";
  return `an object with ${names.length === 1 ? "" : "any of "}${joinWords(names, "and")}`;
}

function range(minimum = -Infinity, maximum = Infinity): string {
  // What zod writes for a whole number without a bound of its own.
  const low = minimum <= Number.MIN_SAFE_INTEGER ? undefined : minimum;
  const high = maximum >= Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (low !== undefined && high !== undefined) return ` from ${low} to ${high}`;
  if (low !== undefined) return ` of at least ${low}`;
  return high === undefined ? "" : ` of at most ${high}`;
}

function size(minimum = 0, maximum = Infinity, unit: "character" | "entry"): string {
  const units = unit === "entry" ? "entries" : "characters";
  if (minimum > 0 && maximum < Infinity) return ` of ${minimum} to ${maximum} ${units}`;
  if (minimum > 0) return ` of at least ${minimum} ${minimum === 1 ? unit : units}`;
  return maximum === Infinity ? "" : ` of at most ${maximum} ${units}`;
}
