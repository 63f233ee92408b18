/**
 * A stand-in for Pulumi's official `command` plugin 1.2.1, for machines that cannot download it. The engine starts it as
 * `pulumi-resource-command` and speaks gRPC with it. It really runs the commands, in the official plugin's order:
 *
 * - A change of `triggers` replaces the resource: the new `create` runs before the old `delete`.
 * - A change of any other input updates it in place: `update` runs if there is one, else `create` runs again.
 * - `delete` runs the command, with the environment and the standard input, that the state holds.
 * - A preview runs nothing, and what a command would print is unknown in it.
 *
 * It has what this project uses. `assetPaths`, `archivePaths`, `connection.proxy`, `environment` of a remote command (few
 * SSH servers accept one) and the function `run` (which runs on every preview) are refused.
 */
import { main, type Provider } from "@pulumi/pulumi/provider/index.js";
import { connectToEngine } from "./command-output.ts";
import { copyToRemote } from "./copy-to-remote.ts";
import { localCommand } from "./local-command.ts";
import { remoteCommand } from "./remote-command.ts";
import { same, type Inputs, type ResourceKind } from "./resource.ts";

const kinds: Readonly<Record<string, ResourceKind>> = {
  "command:local:Command": localCommand,
  "command:remote:Command": remoteCommand,
  "command:remote:CopyToRemote": copyToRemote,
};

function kindOf(urn: string): ResourceKind {
  const type = urn.split("::")[2]?.split("$").at(-1) ?? "";
  const kind = kinds[type];
  if (kind === undefined) throw new Error(`the stand-in for the command plugin has no resource ${type}`);
  return kind;
}

const cancelled = new AbortController();

const provider: Provider = {
  version: "1.2.1",

  check(urn, _olds, news: Inputs) {
    const kind = kindOf(urn);
    const failures = Object.keys(news)
      .filter((name) => !kind.inputs.includes(name))
      .map((property) => ({ property, reason: "the stand-in for the command plugin does not support it" }));
    return Promise.resolve({ inputs: { ...kind.defaults, ...news }, failures });
  },

  diff(_id, urn, olds: Inputs, news: Inputs) {
    const changed = kindOf(urn).inputs.filter((name) => !same(olds[name], news[name]));
    return Promise.resolve({
      changes: changed.length > 0,
      replaces: changed.filter((name) => name === "triggers"),
    });
  },

  async create(urn, inputs: Inputs) {
    const outputs = await kindOf(urn).create(inputs, { urn, signal: cancelled.signal });
    return { id: `${urn.split("::").at(-1) ?? ""}${crypto.randomUUID().slice(0, 8)}`, outs: { ...inputs, ...outputs } };
  },

  async update(_id, urn, olds: Inputs, news: Inputs) {
    const outputs = await kindOf(urn).update(olds, news, { urn, signal: cancelled.signal });
    return { outs: { ...news, ...outputs } };
  },

  async delete(_id, urn, state: Inputs) {
    await kindOf(urn).delete(state, { urn, signal: cancelled.signal });
  },

  cancel() {
    cancelled.abort();
    return Promise.resolve();
  },
};

const args = process.argv.slice(2);
connectToEngine(args);
await main(provider, args);
