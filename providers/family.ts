import { z } from "zod";

/** The kinds of a family, by the name that a configuration uses. */
type Kinds = Readonly<Record<string, { readonly schema: z.ZodObject }>>;

/** The configuration of any kind of a family: the one whose `kind` it says. */
export function configOf<Family extends Kinds>(kinds: Family) {
  const schemas = Object.values(kinds).map(({ schema }) => schema);
  // One schema that may be any of them: so the union's type follows from the registry.
  return z.discriminatedUnion("kind", schemas as unknown as [Family[keyof Family]["schema"]]);
}
