import type { z } from "zod";
import { explain } from "../../../providers/config.ts";
import { ProviderError } from "../../../providers/errors.ts";

/**
 * What a person has typed, as a schema reads it.
 *
 * @param about what it is, before what is wrong with it: `"My App!": `
 * @throws ProviderError `CONFIG` with the first problem that the schema finds, and its fix
 */
export function readAnswer<Schema extends z.ZodType>(schema: Schema, value: unknown, about = ""): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [problem] = explain(parsed.error, schema, value);
  throw new ProviderError("CONFIG", `${about}${problem?.message ?? "it is not right"}`, { fix: problem?.fix });
}
