import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { commandLine } from "../../runner/command-line.ts";
import { hasProgram } from "../helpers/programs.ts";
import { startProvision } from "../helpers/sandbox.ts";
import { TemporaryFolder } from "../helpers/script.ts";

const consequence = (shell: string) => `the completion for ${shell} is only printed and read, not tried in a shell`;
const [hasBash, hasZsh, hasFish] = ["bash", "zsh", "fish"].map((shell) => hasProgram(shell, consequence(shell)));

const COMMANDS = [
  ...["init", "backup", "verify", "restore", "drill", "list", "report", "copy", "prune"],
  ...["accept", "hold", "release", "doctor", "schema", "completion", "help"],
];

let folder: TemporaryFolder;
beforeAll(async () => {
  folder = new TemporaryFolder();
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, stdout, stderr } = await startProvision(["completion", shell], { PATH: process.env.PATH ?? "" })
      .ended;
    expect([code, stderr]).toEqual([0, ""]);
    writeFileSync(join(folder.path, `completion.${shell}`), stdout);
  }
  for (const name of ["app.json", "app two.json", "notes.txt"]) writeFileSync(join(folder.path, name), "");
  mkdirSync(join(folder.path, "backup"));
});
afterAll(() => {
  folder.remove();
});

function run(shell: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(shell, args, { encoding: "utf8", cwd: folder.path });
  expect([status, stderr]).toEqual([0, ""]);
  return stdout;
}

/** The words that a command's help names with two dashes at the start of a line. */
function helpOptions(command: string): string[] {
  const found = commandLine(() => {
    throw new Error("it was not called");
  }).commands.find((each) => each.name() === command);
  const text = found?.helpInformation() ?? "";
  return [...text.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, option = ""]) => option);
}

describe.runIf(hasBash)("in bash", () => {
  /** What is offered for the last of some words, as readline parts them. */
  const offered = (...words: readonly string[]): string[] => {
    const quoted = words.map((word) => `'${word}'`).join(" ");
    const script = `source ./completion.bash; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _provision; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return run("bash", "--norc", "-c", script).split("\n").filter(Boolean);
  };

  it("the shell knows whom to ask", () => {
    expect(run("bash", "--norc", "-c", "source ./completion.bash; complete -p provision")).toBe(
      "complete -F _provision provision\n",
    );
  });

  it("all commands are offered, and those that begin as typed", () => {
    expect(offered("provision", "").sort()).toEqual([...COMMANDS].sort());
    expect(offered("provision", "re")).toEqual(["restore", "report", "release"]);
    expect(offered("provision", "help", "dr")).toEqual(["drill"]);
  });

  it.each(COMMANDS.filter((command) => command !== "help"))(
    "the options of %s are those of its help, and the common ones",
    (command) => {
      const options = helpOptions(command);
      expect(options).toContain("--help");
      expect(offered("provision", command, "--").sort()).toEqual([...options, "--job", "--json", "--log-level"].sort());
    },
  );

  it.each<[readonly string[], readonly string[]]>([
    [
      ["--log-level", ""],
      ["debug", "info", "warn", "error"],
    ],
    [["list", "--log-level", "w"], ["warn"]],
    [["list", "--log-level", "=", "d"], ["debug"]],
    [
      ["list", "--log-level", "="],
      ["debug", "info", "warn", "error"],
    ],
    [
      ["restore", "latest", "--kind", ""],
      ["postgres", "supabase"],
    ],
    [["report", "--format", "m"], ["markdown"]],
    [
      ["completion", ""],
      ["bash", "zsh", "fish"],
    ],
    [["--job", "app.json", "ver"], ["verify"]],
    [["--job", "=", "app.json", "ver"], ["verify"]],
    [["--job", "=", "app.json", "verify", "--sam"], ["--sample"]],
    [["--ver"], ["--version"]],
  ])("behind %j come words: %j", (words, expected) => {
    expect(offered("provision", ...words)).toEqual(expected);
  });

  it.each<[readonly string[], readonly string[]]>([
    [
      ["--job", "app"],
      ["app two.json", "app.json"],
    ],
    [["doctor", "--job", "=", "app."], ["app.json"]],
    [["copy", "--from-job", "n"], ["notes.txt"]],
    [["report", "--all", "app two"], ["app two.json"]],
    [["report", "--all", "app.json", "app two"], ["app two.json"]],
    [["init", "app t"], ["app two.json"]],
    [["restore", "--scratch", ""], ["backup"]],
    [["restore", "--files", "b"], ["backup"]],
  ])("behind %j come paths: %j", (words, expected) => {
    expect(offered("provision", ...words).sort()).toEqual([...expected].sort());
  });

  it.each([
    [["restore", "--to", ""]],
    [["list", "--destination", "0"]],
    [["verify", ""]],
    [["verify", "latest", ""]],
    [["hold", "--reason", "app"]],
  ])("behind %j comes nothing: no shell can know it", (words) => {
    expect(offered("provision", ...words)).toEqual([]);
  });
});

describe.runIf(hasZsh)("in zsh", () => {
  it("the script is read, and the shell knows whom to ask", () => {
    const script = "autoload -U compinit; compinit -u -D; source ./completion.zsh; print $_comps[provision]";
    expect(run("zsh", "-f", "-c", script)).toBe("_provision\n");
  });
});

describe.runIf(hasFish)("in fish", () => {
  const offered = (line: string): string[] => {
    const script = `source ./completion.fish; complete -C '${line}'`;
    return run("fish", "--no-config", "-c", script)
      .split("\n")
      .filter(Boolean)
      .map((each) => each.split("\t")[0] ?? "");
  };

  it("commands, options and values are offered", () => {
    expect(offered("provision ").sort()).toEqual([...COMMANDS].sort());
    expect(offered("provision verify --sam")).toEqual(["--sample"]);
    expect(offered("provision list --log-level ").sort()).toEqual(["debug", "error", "info", "warn"]);
    expect(offered("provision doctor --job app.")).toEqual(["app.json"]);
  });
});
