import { relative, resolve } from "node:path";
import { ROOT } from "./imports.ts";
import { filesByTier, TIERS, type Tier } from "./tiers.ts";

/** Tests to run. */
export interface ChosenTests {
  /** Their files, by their paths from the root. */
  readonly files: readonly string[];
  /** What Vitest is started with: the tiers' projects, and the arguments as they were given. */
  readonly arguments: readonly string[];
}

/** The tiers that an option stands for. */
const OPTIONS: Readonly<Record<string, readonly Tier[]>> = { "--rest": ["rest"], "--all": TIERS };

/** The tiers without an option: what everybody runs before a commit. */
const DEFAULT: readonly Tier[] = ["unit", "main"];

/** Options of Vitest whose value might be taken for a part of a path. */
const WITH_VALUE: readonly string[] = ["-t", "--testNamePattern"];

/**
 * Chooses tests by the arguments of a command line. Arguments that name files choose these, whatever their tier; as for Vitest,
 * a part of the path will do.
 *
 * @param directory where the command line was entered: paths are relative to it
 */
export function chooseTests(given: readonly string[], directory: string): ChosenTests {
  const [first = "", ...others] = given;
  const tiers = OPTIONS[first];
  const forVitest = tiers === undefined ? given : others;
  const byTier = filesByTier();
  const named = forVitest
    .filter((argument, index) => !argument.startsWith("-") && !WITH_VALUE.includes(forVitest[index - 1] ?? ""))
    .map((argument) => pathFromRoot(argument, directory));
  const among = tiers ?? (named.length === 0 ? DEFAULT : TIERS);
  const all = among.flatMap((tier) => byTier[tier]);
  return {
    files: named.length === 0 ? all : all.filter((file) => named.some((part) => file.includes(part))),
    arguments: [...among.flatMap((tier) => ["--project", tier]), ...forVitest],
  };
}

/** A path may come with a line, `test/one.test.ts:12`, and it may be absolute or begin with `./`. */
function pathFromRoot(argument: string, directory: string): string {
  const path = argument.replace(/:\d+$/, "");
  return path.startsWith(".") || path.startsWith("/") ? relative(ROOT, resolve(directory, path)) : path;
}
