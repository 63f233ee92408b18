import { Output } from "@pulumi/pulumi";
import type * as pulumi from "@pulumi/pulumi";

/** A value that is written down; undefined for one that a resource makes, of which AWS knows nothing before. */
export function plain<T extends string | boolean>(value: pulumi.Input<T> | undefined): T | undefined {
  return typeof value === "string" || typeof value === "boolean" ? value : undefined;
}

/** The values of a list that are written down. */
export function plainList(values: pulumi.Input<readonly pulumi.Input<string>[]> | undefined): string[] {
  if (values === undefined || Output.isInstance(values) || values instanceof Promise) return [];
  return values.flatMap((value) => plain<string>(value) ?? []);
}
