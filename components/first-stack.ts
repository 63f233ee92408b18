import { randomBytes } from "node:crypto";
import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

/** What the state keeps of a stack, whatever it is called now. */
export interface FirstStack {
  /** The name that it had when it was first deployed: its backups stay in the folder of that name. */
  readonly name: pulumi.Output<string>;
  /** Tells its backups from those of any other stack. */
  readonly id: pulumi.Output<string>;
  /** What keeps both: it goes with the stack alone. */
  readonly resource?: pulumi.Resource;
}

/** What each program that runs in this process has made, by its connection to the engine. */
const made = new WeakMap<object, Map<string, FirstStack>>();

/**
 * The stack as it was first deployed: made once, and the same for all components of a program. It belongs to no component, so that a
 * renamed one finds it again. A stack that is there already is bound to the name that it has.
 *
 * @param stack its present name
 * @param resource the resource's name. Default: one for the whole program.
 */
export function firstStack(stack: string, resource = "provision-first-stack", opts: pulumi.CustomResourceOptions = {}) {
  const program = pulumi.runtime.getMonitor() ?? {};
  const known = made.get(program) ?? new Map<string, FirstStack>();
  made.set(program, known);
  const found = known.get(resource) ?? makeFirstStack(stack, resource, opts);
  known.set(resource, found);
  return found;
}

function makeFirstStack(stack: string, resource: string, opts: pulumi.CustomResourceOptions): FirstStack {
  const environment = { stack, id: randomBytes(16).toString("hex") };
  // It does nothing: its state is what holds the two. What the program says later of them is ignored.
  const kept = { create: "exit 0", environment, logging: local.Logging.None, addPreviousOutputInEnv: false };
  const command = new local.Command(resource, kept, { ...opts, ignoreChanges: Object.keys(kept) });
  const first = command.environment.apply((found) => ({ ...environment, ...found }));
  return { name: first.stack, id: first.id, resource: command };
}
