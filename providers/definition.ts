import type { z } from "zod";

/** What every provider is created with beside its own configuration. */
export interface ProviderContext {
  /** The resolved secrets, by the configuration field that refers to them. */
  readonly secrets: Readonly<Record<string, string>>;
}

/**
 * One kind of a family, as data: all that the runner and the deployment know of it. It stands in the provider's own file,
 * which therefore must be cheap to import: the SDK is loaded inside `create`.
 */
export interface ProviderDefinition<Schema extends z.ZodObject, Provider, Context extends ProviderContext> {
  /** The configuration of this kind; its `kind` is a literal equal to the file's name. */
  readonly schema: Schema;
  /**
   * The fields of the configuration that hold a secret reference; the deployment hands these secrets to the runner. One
   * inside another is written with a dot: `s3.accessKeyId`.
   */
  readonly secrets: readonly SecretField<z.output<Schema>>[];
  /** Makes the provider. Throws `ProviderError` with `CONFIG` where the configuration cannot work. */
  create(config: z.output<Schema>, context: Context): Promise<Provider>;
}

/** A field of a configuration, or one inside it. */
type SecretField<Config> = {
  [Field in keyof Config & string]:
    | Field
    | (NonNullable<Config[Field]> extends readonly unknown[]
        ? never
        : NonNullable<Config[Field]> extends object
          ? `${Field}.${keyof NonNullable<Config[Field]> & string}`
          : never);
}[keyof Config & string];
