import { installPackages, mayInstallPackages } from "./apt.ts";
import { withProgress } from "../progress.ts";

/** A program of the machine's own that the demo or the tests need. */
export interface SystemProgram {
  /** Its name and what it is for: `Go, which builds the Pulumi CLI`. */
  readonly what: string;
  readonly isThere: () => Promise<boolean>;
  /** The packages of Debian and Ubuntu that it is in. */
  readonly packages: readonly string[];
  /** What must be done before its packages are installed; it returns what must be done after, also after a failure. */
  readonly beforeInstall?: () => Promise<() => Promise<void>>;
  /** What happens without it: `some tests are left out`. Undefined where one cannot do without. */
  readonly without?: string;
  /** How to get it where there are no such packages. */
  readonly elsewhere: string;
}

/**
 * Makes sure that programs are there. As root on Debian and Ubuntu those that are missing are installed from the system's
 * packages, which prints a line; no service is started. Elsewhere it says which are missing.
 *
 * @throws {Error} where one that nothing works without is missing and cannot be installed; it names all at once, and how to install each
 */
export async function ensureSystemPrograms(
  programs: readonly SystemProgram[],
  say: (line: string) => void = console.error,
): Promise<void> {
  const found = await Promise.all(programs.map((program) => program.isThere()));
  const missing = programs.filter((_, index) => found[index] === false);
  if (missing.length === 0) return;
  if (!mayInstallPackages()) {
    const message = howToInstall(missing);
    if (missing.some(({ without }) => without === undefined)) throw new Error(message);
    say(message);
    return;
  }
  const packages = [...new Set(missing.flatMap((program) => program.packages))];
  say(`Installing ${packages.join(", ")} with apt-get, once; this takes about a minute …`);
  const afterwards: (() => Promise<void>)[] = [];
  try {
    for (const { beforeInstall } of missing) if (beforeInstall) afterwards.push(await beforeInstall());
    await withProgress("installing with apt-get", say, () => installPackages(...packages));
  } finally {
    for (const after of afterwards) await after();
  }
  for (const program of missing) {
    if (await program.isThere()) continue;
    throw new Error(
      `apt-get installed ${program.packages.join(" and ")}, but this is still missing: ${program.what}. ` +
        program.elsewhere,
    );
  }
}

function howToInstall(missing: readonly SystemProgram[]): string {
  const packages = [...new Set(missing.flatMap((program) => program.packages))];
  return [
    "This is not here, and could be installed from here only as root on Debian or Ubuntu:",
    ...missing.map(({ what, elsewhere, without }) => {
      return `  - ${what}. ${elsewhere}${without === undefined ? "" : ` Without it, ${without}.`}`;
    }),
    `On Debian and Ubuntu all of it comes with: sudo apt-get install --no-install-recommends ${packages.join(" ")}`,
  ].join("\n");
}
