import type * as pulumi from "@pulumi/pulumi";

/**
 * Changes a child of a component before it is made: an object that is merged over the child's arguments, or a function that
 * gets the arguments, the options and the child's name, and returns both. It is the way to whatever a component has no
 * argument for.
 */
export type Transform<Args> =
  | Partial<Args>
  | ((
      args: Args,
      opts: pulumi.CustomResourceOptions,
      name: string,
    ) => { args: Args; opts: pulumi.CustomResourceOptions });

/**
 * The three arguments of a child's constructor, after the transform.
 *
 * Use: `new aws.s3.Bucket(...transformed(args.transform?.bucket, name, { … }, { parent: this }))`.
 *
 * @param name the child's name in the program; a transform cannot change it, as that would replace the child
 */
export function transformed<Args>(
  transform: Transform<Args> | undefined,
  name: string,
  args: Args,
  opts: pulumi.CustomResourceOptions,
): [string, Args, pulumi.CustomResourceOptions] {
  if (typeof transform !== "function") return [name, { ...args, ...transform }, opts];
  const result = transform(args, opts, name);
  return [name, result.args, result.opts];
}
