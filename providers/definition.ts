import type { z } from "zod";

/** What every provider is created with beside its own configuration. */
export interface ProviderContext {
  /** The resolved secrets, by the configuration field that refers to them. */
  readonly secrets: Readonly<Record<string, string>>;
}

/**
 * What a deployed task does to backups: make them and read them back, read them only, read them and record beside them how a
 * drill went, remove old ones, or read what is recorded of them alone and publish reports on that. `hold` is a person's: read what is
 * recorded of them, keep them from being removed, and end that.
 */
export type Access = "backup" | "read" | "drill" | "prune" | "report" | "hold";

/** A task on AWS, or what a person does there, as far as its permissions depend on it. */
export interface DeployedTask {
  /** The stack's and the job's name: the folder of the job's backups. */
  readonly stack: string;
  readonly job: string;
  readonly access: Access;
  /** AWS's partition, the second part of an ARN: `aws`, `aws-cn` or `aws-us-gov`. */
  readonly partition: string;
  /** The stack's region, and the number of its account. */
  readonly region: string;
  readonly account: string;
}

/** A statement of an IAM policy. */
export interface PolicyStatement {
  readonly Effect: "Allow" | "Deny";
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  /** Condition operators, each with its keys and their values. */
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

/** Something that a configuration has to say. */
export interface Lack {
  /** The field, or the one that it belongs into. */
  readonly field: string;
  /** To be read after the field's path. */
  readonly message: string;
  readonly fix: string;
}

/**
 * One kind of a family, as data: all that the runner and the deployment know of it. Every run loads it with its configuration, so the
 * class and the SDK are loaded inside `create`.
 */
export interface ProviderDefinition<Schema extends z.ZodObject, Provider, Context extends ProviderContext> {
  /** The configuration of this kind; its `kind` is a literal equal to the file's name. */
  readonly schema: Schema;
  /**
   * The fields of the configuration that hold a secret reference; the deployment hands these secrets to the runner. One
   * inside another is written with a dot: `s3.accessKeyId`.
   */
  readonly secrets: readonly SecretField<z.output<Schema>>[];
  /** Fields that need not be there, for which `provision init` asks all the same. Default: none. */
  readonly asks?: readonly (keyof z.output<Schema> & string)[];
  /** What the role of a task on AWS must be allowed to do for this configuration. Left out: nothing. */
  permissions?(config: z.output<Schema>, task: DeployedTask): readonly PolicyStatement[];
  /**
   * What the configuration lacks on AWS, where the role of a task is allowed exactly what the configuration names. Left out: nothing.
   */
  lacksOnAws?(config: z.output<Schema>): Lack | undefined;
  /** TCP ports that a run connects to, where they are not just 443, which is always open. */
  ports?(config: z.output<Schema>): readonly number[];
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
