import { z } from "zod";

/** The kinds of a family, by the name that a configuration uses. */
type Kinds = Readonly<Record<string, { readonly schema: z.ZodObject }>>;

/** The configuration of any kind of a family: the one whose `kind` it says. */
export function configOf<Family extends Kinds>(kinds: Family) {
  const schemas = Object.values(kinds).map(({ schema }) => schema);
  // One schema that may be any of them: so the union's type follows from the registry.
  return z.discriminatedUnion("kind", schemas as unknown as [Family[keyof Family]["schema"]]);
}

/** Makes the provider that a configuration describes. */
export function createFrom<Kind extends string, Context, Provider>(
  kinds: Readonly<Record<Kind, { create(config: never, context: Context): Promise<Provider> }>>,
  config: { readonly kind: Kind },
  context: Context,
): Promise<Provider> {
  // The kind says which definition it is, which the type checker cannot follow.
  return kinds[config.kind].create(config as never, context);
}
