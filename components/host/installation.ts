import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import * as pulumi from "@pulumi/pulumi";
import { runnerFiles } from "../runner-files.ts";
import { machineCommand, type Machine } from "./machine.ts";
import { folderMark, ownerFunctions, type Owner } from "./owner.ts";
import { ownFunction, quote, scriptStart } from "./shell.ts";

/** Arguments of {@link Installation}. */
export interface InstallationArgs {
  readonly machine: Machine;
  /** The stack's folder on the machine. */
  readonly folder: string;
  readonly owner: pulumi.Input<Owner>;
  /** The user that runs the backups. Default: the one who connects. */
  readonly user?: string;
  /** Path of node on the machine. Default: on this machine the one of this project, elsewhere whatever is on the PATH. */
  readonly node?: string;
  /** This project's folder on this machine. */
  readonly source: string;
}

/**
 * The runner on a machine. On this machine it is this project as it stands. Another gets a copy, and from npm what the copy
 * depends on; each content has a folder of its own, so that a run which is going on keeps the code that it began with.
 */
export class Installation extends pulumi.ComponentResource {
  /** Path of the runner's command-line program. */
  readonly cli: string;
  /** Path of the node program that runs it. */
  readonly node: string;

  constructor(name: string, args: InstallationArgs, opts?: pulumi.ComponentResourceOptions) {
    super("provision:host:Program", name, {}, opts);
    if (args.machine.connection === undefined) {
      const own = join(args.source, "node_modules/.bin/node");
      this.cli = join(args.source, "runner/cli.js");
      this.node = args.node ?? (existsSync(own) ? own : process.execPath);
    } else {
      const programs = `${args.folder}/program`;
      this.cli = `${programs}/current/runner/cli.js`;
      this.node = `${programs}/current/node`;
      const content = pack(args.source);
      machineCommand(
        `${name}-copy`,
        args.machine,
        {
          path: programs,
          stdin: content.text,
          create: pulumi.output(args.owner).apply((owner) => installScript(programs, content.hash, { ...args, owner })),
          delete: pulumi.output(args.owner).apply(
            (owner) => `${common(args.folder, owner)}
case $found in "" | -) ;; *) holds "$found" || exit 0 ;; esac
rm -rf ${quote(programs)}`,
          ),
        },
        { parent: this },
      );
    }
    this.registerOutputs({ cli: this.cli, node: this.node });
  }
}

/** The project's parts as text that stays the same while they do, small enough for the stack's state. */
function pack(source: string): { text: string; hash: string } {
  const json = JSON.stringify(runnerFiles(source));
  // A sixth smaller than gzip makes it in no more than a tenth of a second; the highest quality takes seconds.
  const packed = brotliCompressSync(json, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
  // The hash is of what is packed: another version of the library may pack it otherwise.
  return {
    text: packed.toString("base64"),
    hash: createHash("sha256").update(json).digest("hex").slice(0, 16),
  };
}

/** Unpacks what {@link pack} made; must run on old versions of Node.js, since the right one comes with the program. */
const unpack = `
const fs = require("fs"), path = require("path"), zlib = require("zlib");
const files = JSON.parse(zlib.brotliDecompressSync(Buffer.from(fs.readFileSync(0, "latin1"), "base64")).toString("utf8"));
for (const name of Object.keys(files)) {
  fs.mkdirSync(path.dirname(name), { recursive: true });
  fs.writeFileSync(name, files[name]);
}`;

function common(folder: string, owner: Owner): string {
  return `${scriptStart}
${ownerFunctions(owner, true)}
${folderMark}
found=$(folder_mark ${quote(folder)})`;
}

function installScript(programs: string, hash: string, args: InstallationArgs & { readonly owner: Owner }): string {
  return `${common(args.folder, args.owner)}
claim ${quote(`The folder ${args.folder}`)} "$found" "Set provision:host.directory to another folder."
${ownFunction(args.user)}
programs=${quote(programs)}
hash=${hash}
node=${args.node === undefined ? "$(command -v node || true)" : quote(args.node)}
[ -n "$node" ] && [ -x "$node" ] ||
  fail "There is no node on $(hostname) for $(id -un)." "Install Node.js with npm there (any version: the right one comes from npm), or set provision:host.node to its path."
PATH="$(dirname "$node"):$PATH"
command -v npm >/dev/null || fail "There is no npm beside $node on $(hostname): install it, or set provision:host.node to a node that has one."
mkdir -p "$programs"
if [ ! -e "$programs/$hash/complete" ]; then
  rm -rf "$programs/$hash"
  # A failure leaves nothing: a resource that was never made is never removed.
  trap 'cd / && rm -rf "$programs/$hash" && { rmdir "$programs" 2>/dev/null || true; }' EXIT
  mkdir "$programs/$hash"
  cd "$programs/$hash"
  "$node" -e ${quote(unpack)}
  npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error >&2 || fail "npm could not install what the runner needs on $(hostname); the reason is above."
  # TypeScript runs without a build from 22.18 on.
  for candidate in "$PWD/node_modules/.bin/node" "$node"; do
    if "$candidate" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 18) ? 0 : 1)' 2>/dev/null; then
      ln -sf "$candidate" node
      break
    fi
  done
  [ -e node ] || fail "The node on $(hostname) is $("$node" --version), and npm has none for $(uname -m): install 22.18 or later, or set provision:host.node."
  : >complete
  trap - EXIT
fi
before=$(readlink "$programs/current" || true)
rm -f "$programs/current.new"
ln -s "$hash" "$programs/current.new"
mv -fT "$programs/current.new" "$programs/current"
# The version before stays for a run that is going on.
for old in "$programs"/*/; do
  old=$(basename "$old")
  case $old in "$hash" | current | "$before") ;; *) rm -rf "$programs/$old" ;; esac
done
own "$programs"`;
}
