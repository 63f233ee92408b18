import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TemporaryFolder } from "./script.ts";

const ROOT = join(import.meta.dirname, "../..");

/** A project of somebody else, with this one as a package, and the packages that it depends on. */
export class PackedProject extends TemporaryFolder {
  /** Where npm puts the package. */
  readonly package = join(this.path, "node_modules/provision");

  /** Packs this project as npm publishes it, which builds it, and unpacks that. */
  constructor() {
    super();
    const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", this.path], {
      cwd: ROOT,
      encoding: "utf8",
    });
    mkdirSync(this.package, { recursive: true });
    const archive = join(this.path, packed.trim().split("\n").at(-1) ?? "");
    execFileSync("tar", ["-xzf", archive, "-C", this.package, "--strip-components=1"]);
    // The very same copies as the tests have: the engine's part in this process and the program share one @pulumi/pulumi.
    for (const name of readdirSync(join(ROOT, "node_modules"))) {
      if (!name.startsWith(".")) symlinkSync(join(ROOT, "node_modules", name), join(this.path, "node_modules", name));
    }
    writeFileSync(join(this.path, "package.json"), JSON.stringify({ type: "module" }));
  }

  /** Copies an example into the project; gives the path of its program. */
  example(name: string): string {
    cpSync(join(ROOT, "examples", name), join(this.path, name), { recursive: true });
    return join(this.path, name, "index.ts");
  }
}
