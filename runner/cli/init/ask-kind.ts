import { z } from "zod";
import { explain } from "../../../providers/config.ts";
import { ProviderError } from "../../../providers/errors.ts";
import { readAnswer } from "./answer.ts";
import type { Prompt } from "./prompt.ts";

/** What is asked of one kind of a family. */
interface Kind {
  readonly schema: z.ZodObject;
  readonly secrets: readonly string[];
  /** See `ProviderDefinition.asks`. */
  readonly asks?: readonly string[];
}

/** A configuration as a person has described it. */
export interface Described {
  readonly config: Record<string, unknown>;
  /** The secrets, by the names under which the configuration refers to them. */
  readonly secrets: Readonly<Record<string, string>>;
  /** The same, by the fields of the configuration. */
  readonly byField: Readonly<Record<string, string>>;
}

/**
 * Asks for a kind of a family and its fields: those that must be there, the secrets, and what the kind itself wants to be asked for.
 *
 * @param what the family, for people: `database`
 */
export async function askKind(prompt: Prompt, what: string, kinds: Readonly<Record<string, Kind>>): Promise<Described> {
  const about = Object.entries(kinds).map(([name, { schema }]) => [name, describe(schema.shape.kind)] as const);
  const name = await prompt.choose(`What kind of ${what}`, new Map(about));
  const kind = kinds[name];
  if (kind === undefined) throw new RangeError(`no kind ${name}`);
  for (;;) {
    const described = await askFields(prompt, what, name, kind);
    const parsed = kind.schema.safeParse(described.config);
    if (parsed.success) return described;
    for (const { path, message, fix } of explain(parsed.error, kind.schema, described.config)) {
      prompt.say(`  ${path}: ${message}`);
      prompt.say(`  Fix: ${fix}`);
    }
  }
}

async function askFields(prompt: Prompt, what: string, name: string, kind: Kind): Promise<Described> {
  const config: Record<string, unknown> = { kind: name };
  const secrets: Record<string, string> = {};
  const byField: Record<string, string> = {};
  for (const [field, schema] of Object.entries(kind.schema.shape) as [string, z.ZodType][]) {
    const isOptional = schema.safeParse(undefined).success;
    const isSecret = kind.secrets.includes(field);
    if (field === "kind" || (isOptional && !isSecret && kind.asks?.includes(field) !== true)) continue;
    prompt.say(`${field}: ${describe(schema)}`);
    const hint = isOptional ? ", or nothing for the default" : "";
    if (!isSecret) {
      const value = await prompt.ask({ text: `${field}${hint}`, read: (answer) => readField(field, schema, answer) });
      if (value !== undefined) config[field] = value;
      continue;
    }
    const secret = await prompt.ask({
      text: `${field}${hint}`,
      hidden: true,
      read: (answer) => {
        if (answer !== "" || isOptional) return answer;
        throw new ProviderError("CONFIG", `${field} is needed.`, { fix: "Type or paste it; it is not shown." });
      },
    });
    if (secret === "") continue;
    const called = `${what}${field.slice(0, 1).toUpperCase()}${field.slice(1)}`;
    config[field] = { secret: called };
    secrets[called] = secret;
    byField[field] = secret;
  }
  return { config, secrets, byField };
}

/** An answer as the field's value; undefined for none. */
function readField(field: string, schema: z.ZodType, answer: string): unknown {
  for (const value of answer === "" ? [undefined] : [answer, asJson(answer)]) {
    if (schema.safeParse(value).success) return value;
  }
  return readAnswer(z.object({ [field]: schema }), answer === "" ? {} : { [field]: answer }, `${field}: `)[field];
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function describe(schema: unknown): string {
  const { description } = z.toJSONSchema(schema as z.ZodType, { io: "input" });
  return description ?? "";
}
