import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import type { FirstStack } from "../first-stack.ts";
import type { Machine } from "./machine.ts";
import { quote } from "./shell.ts";

/** Whose a thing on a machine is. */
export interface Owner {
  /** The stack, by the id that its state has kept since it was made; see {@link FirstStack}. */
  readonly id: string;
  /** The component that holds the thing: another name, parent or machine makes another holder of the same owner. */
  readonly holder: string;
  /** Organisation, project, stack and component, for people. */
  readonly name: string;
  /** Whether a person has said that what another owner holds is this one's from now on. */
  readonly adopt: boolean;
}

/** What one program has taken, by its connection to the engine: the holder of each place. */
const taken = new WeakMap<object, Map<string, string>>();

/** The owner of what a component makes on a machine. */
export function ownerOf(
  component: pulumi.ComponentResource,
  name: string,
  { machine, first, adopt }: { readonly machine: Machine; readonly first: FirstStack; readonly adopt: boolean },
): pulumi.Output<Owner> {
  const people = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack(), name].join("/");
  // Leaves out what the URN depends on: the component, for whose children its own children would wait.
  const urn = new Promise<string>((resolve) => void component.urn.apply(resolve));
  return pulumi.all([first.id, urn, machine.place]).apply(([id, urn, place]) => ({
    id,
    holder: createHash("sha256").update(`${urn} ${place}`).digest("hex").slice(0, 12),
    // It stands in the line of a crontab.
    name: people.replaceAll(/[^\w./-]/g, "_"),
    adopt,
  }));
}

/**
 * Takes a place on a machine for one component of the program.
 *
 * @throws RunError where another component of the program has it: one of the two would be lost without a word
 */
export function takePlace(place: string, owner: Owner, fix: string): void {
  const program = pulumi.runtime.getMonitor() ?? {};
  const known = taken.get(program) ?? new Map<string, string>();
  taken.set(program, known);
  const other = known.get(place) ?? owner.holder;
  if (other !== owner.holder) throw new pulumi.RunError(`Two components of this program use ${place}. ${fix}`);
  known.set(place, other);
}

/**
 * Shell functions that compare marks, each of which is a line: the owner's id, a dot, the holder, and the owner's name.
 *
 * `claim WHAT MARK FIX` fails where the thing is another owner's. MARK is `-` for a thing without a mark, which is ours only if
 * `known` is `yes`: the state has it since before there were marks. It is empty where there is no such thing.
 * `holds MARK` succeeds where the thing is of this very holder: what a newer one has taken is not removed.
 */
export function ownerFunctions({ id, holder, name, adopt }: Owner, known: boolean): string {
  return `id=${id}
mark=${quote(`${id}.${holder} ${name}`)}
claim() {
  case $2 in "" | "$id".*) return 0 ;; -) ${known ? "return 0" : "whose='made by a stack that left no mark'"} ;; *) whose="of \${2#* }" ;; esac
  ${adopt ? "return 0" : `fail "$1 on $(hostname) is $whose, and not of \${mark#* }." "$3 To take it over, set provision:host.adopt to true for one pulumi up."`}
}
holds() { case $1 in "\${mark%% *} "*) return 0 ;; esac; return 1; }`;
}

/** Shell function `folder_mark FOLDER`: prints the mark of a stack's folder, `-` where it has none. */
export const folderMark = `folder_mark() {
  if [ -e "$1/.owner" ]; then cat "$1/.owner"; elif [ -d "$1" ]; then echo -; fi
}`;
