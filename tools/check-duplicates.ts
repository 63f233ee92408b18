import { execFileSync } from "node:child_process";

// Two copies of @pulumi/pulumi in one program break it in ways that no message explains: resources of the one are no
// resources to the other.

interface Tree {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, Tree>>;
}

function versions(tree: Tree): string[] {
  return Object.entries(tree.dependencies ?? {}).flatMap(([name, child]) => [
    ...(name === "@pulumi/pulumi" && child.version !== undefined ? [child.version] : []),
    ...versions(child),
  ]);
}

const listing = execFileSync("npm", ["ls", "@pulumi/pulumi", "--all", "--json"], { encoding: "utf8" });
const found = new Set(versions(JSON.parse(listing) as Tree));
if (found.size === 1) {
  console.log(`@pulumi/pulumi is there once: ${[...found].join()}`);
} else {
  console.error(`@pulumi/pulumi must be there exactly once, and is there as: ${[...found].join(", ") || "nothing"}`);
  process.exitCode = 1;
}
