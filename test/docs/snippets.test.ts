import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { checkSettings } from "../../components/settings/rules.ts";
import { JobConfig } from "../../providers/config.ts";
import { commandLine } from "../../runner/cli/command-line.ts";
import { EXIT } from "../../runner/run/exit-codes.ts";
import { ROOT } from "../../tools/tests/imports.ts";
import { anchorsOf, commandsOf, inlineCodeOf, linksOf, PAGES, snippetsOf, type Snippet, wordsOf } from "./markdown.ts";

/** What stands for a value of the reader's own, and a value that is checked in its place. */
const PLACEHOLDERS: readonly (readonly [RegExp, string])[] = [
  [/age1…/g, "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"],
  [/sha256:…/g, `sha256:${"0".repeat(64)}`],
  [/<ref>/g, "abcdefghijklmnopqrst"],
  [/<appKey>/g, "abcdefghijklmno"],
  [/<driveId>/g, "0AbCdEfGhIjKlMnUk9PVA"],
  [/<clientId>/g, "1234-abcd.apps.googleusercontent.com"],
  [/ssh-ed25519 AAAA…/g, "ssh-ed25519 AAAA"],
];

/** A whole job, of which a block shows some fields. */
const JOB = {
  stack: "prod",
  name: "app",
  database: { kind: "postgres", url: { secret: "appDatabaseUrl" } },
  destinations: [{ kind: "filesystem", path: "/srv/backups" }],
};

const filled = (text: string) => PLACEHOLDERS.reduce((filling, [from, to]) => filling.replaceAll(from, to), text);

/** Everything that is wrong with a block of configuration: a whole stack's, or fields of a job. */
function problemsOf(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return ["neither a stack's configuration nor fields of a job"];
  if ("config" in value) return stackProblems(value.config as Record<string, unknown>);
  const { success, error } = JobConfig.safeParse({ ...JOB, ...value });
  return success ? [] : error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
}

function stackProblems(config: Readonly<Record<string, unknown>>): string[] {
  const referred = [...JSON.stringify(config).matchAll(/"secret":"(\w+)"/g)].map(([, name = ""]) => name);
  const own = Object.entries(config).filter(([key]) => key.startsWith("provision:"));
  const values = own.map(([key, value]): [string, string] => [
    key.slice("provision:".length),
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  const secrets = JSON.stringify(Object.fromEntries(referred.map((name) => [name, "x"])));
  const { problems } = checkSettings({
    stack: "prod",
    values: new Map([...values, ["secrets", secrets]]),
    region: config["aws:region"] as string | undefined,
    isSecret: () => true,
  });
  return problems.map(({ path, message }) => `${path}: ${message}`);
}

const scripts = Object.keys(
  (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: object }).scripts,
);

/** Parses the words behind `provision` with the real command line, and does nothing. Gives what is wrong. */
function usageProblem(words: readonly string[]): string | undefined {
  const program = commandLine((error) => {
    throw error;
  });
  const silent = { writeOut: () => undefined, writeErr: () => undefined };
  program.configureOutput(silent);
  for (const command of program.commands) command.configureOutput(silent).action(() => undefined);
  try {
    program.parse(words, { from: "user" });
    return undefined;
  } catch (error) {
    const { exitCode, message } = error as { exitCode: number; message: string };
    return exitCode === 0 ? undefined : message;
  }
}

/** What `--help` prints of the program and of each command. */
function helpTexts(): string[] {
  const program = commandLine((error) => {
    throw error;
  });
  return [program, ...program.commands].map((command) => {
    let text = "";
    command.configureOutput({ writeOut: (piece) => (text += piece) }).outputHelp();
    return text;
  });
}

/** Where the runner's words begin, in the ways in which a page calls it. */
const RUNNER = /^(?:[A-Z_]+=\S+ )*(?:npm exec -- |npm run provision -- )?(?:provision|node runner\/cli\.js) /;

/** Which test runs the commands of a page that are not `provision`'s own. */
const RUN_BY: Readonly<Record<string, string>> = {
  "README.md": "test/engine/readme.test.ts",
  "docs/restore.md": "test/docs/restore.test.ts",
  "examples/bootstrap/README.md": "test/engine/first-backup.test.ts",
};

/** What was found of the commands, for the account in the end. */
const account = { checked: 0, others: new Map<string, string>() };

/** What is wrong with a command; null where this test knows nothing of its program. */
function commandProblem(command: string): string | undefined | null {
  const runner = RUNNER.exec(command);
  const own = command.slice(runner?.[0].length).replace(/ > \S+$/, "");
  if (runner) return usageProblem(wordsOf(own).filter((word) => word !== "--"));
  const [program = "", first = "", second = ""] = wordsOf(command);
  if (program === "npm" && first === "run") {
    const script = second.startsWith("-") ? (wordsOf(command)[3] ?? "") : second;
    return scripts.includes(script) ? undefined : `there is no script ${script}`;
  }
  if (program === "npm" && first === "test") return undefined;
  if (program === "node") return existsSync(join(ROOT, first)) ? undefined : `there is no file ${first}`;
  return null;
}

const snippets = PAGES.flatMap(snippetsOf);
const configuration = snippets.filter(({ language }) => language === "yaml" || language === "json");
const commands = snippets.filter(({ language }) => language === "console" || language === "sh");
const programs = snippets.filter(({ language }) => language === "ts");
/** What no test can run: formulas, layouts of folders and outputs. */
const PROSE = ["", "text"];

describe("the configuration in the documentation", () => {
  it.each(configuration.filter(({ notRun }) => notRun === undefined))("is what the schema takes: $at", ({ text }) => {
    account.checked += 1;
    expect(problemsOf(parse(filled(text)))).toEqual([]);
  });

  it("is checked indeed: a wrong field is a problem", () => {
    expect(problemsOf({ retention: { lasst: 7 } })).not.toEqual([]);
    expect(problemsOf(parse("config:\n  provision:jobs: [{ name: app }]"))).not.toEqual([]);
    expect(problemsOf({ databases: {} })).not.toEqual([]);
  });
});

describe("the commands in the documentation", () => {
  it.each(commands)("are ones that there are: $at", (snippet: Snippet) => {
    for (const command of commandsOf(snippet)) {
      const problem = commandProblem(command);
      if (problem === null) account.others.set(`${snippet.at} ${command}`, reasonFor(snippet, command));
      else {
        account.checked += 1;
        expect(problem, command).toBeUndefined();
      }
    }
  });

  it.each(PAGES)("are right in the text, too: %s", (page) => {
    for (const command of inlineCodeOf(page).filter((code) => RUNNER.test(code) && !code.includes("…"))) {
      account.checked += 1;
      expect(commandProblem(command), command).toBeUndefined();
    }
  });

  it("are right in the help, too, which shows some of each command", () => {
    const examples = helpTexts().map((text) => /^Examples:\n((?: {2}.*\n)+)\n/.exec(text)?.[1] ?? "");
    expect(examples.length).toBeGreaterThan(14);
    for (const text of examples) {
      expect(text).toMatch(/^ {2}provision /);
      for (const command of commandsOf({ language: "sh", text }).filter((each) => RUNNER.test(each))) {
        account.checked += 1;
        expect(commandProblem(command), command).toBeUndefined();
      }
    }
  });

  it("are all on the page of commands, with every exit code", () => {
    const page = readFileSync(join(ROOT, "docs/commands.md"), "utf8");
    const program = commandLine((error) => {
      throw error;
    });
    for (const command of program.commands) expect(page).toMatch(new RegExp(`^\\| \`${command.name()}[ \`]`, "m"));
    const codes = [...page.matchAll(/^\| ([\d, ]+?) +\|/gm)].flatMap(([, list = ""]) => list.split(", ").map(Number));
    expect(codes).toEqual(Object.values(EXIT).sort((a, b) => a - b));
  });

  it("are checked indeed: an unknown option or command is a problem", () => {
    expect(commandProblem("provision restore latest --too env:URL")).toMatch(/unknown option/);
    expect(commandProblem("npm exec -- provision restrore")).toMatch(/unknown command/);
    expect(commandProblem("npm run nothing")).toMatch(/no script/);
  });
});

/** What becomes of a command of another program, and why. */
function reasonFor({ page, notRun }: Snippet, command: string): string {
  if (notRun !== undefined) return `only read: ${notRun}`;
  const test = RUN_BY[page];
  if (test !== undefined) return `run by ${test}`;
  if (/^(npm exec -c ')?pulumi /.test(command)) return "only read: needs a stack; test/engine runs the engine";
  return "only read: needs an account, another machine or a program that is no part of this project";
}

/** Programs whose types `npm run check` checks; each has a page's block between two comments. */
const typed = globSync("test/docs/programs/*.ts", { cwd: ROOT }).map((file) => readFileSync(join(ROOT, file), "utf8"));

describe("the programs in the documentation", () => {
  it.each(programs.filter(({ notRun }) => notRun === undefined))(
    "are also where types are checked: $at",
    ({ text }) => {
      account.checked += 1;
      expect(typed.filter((file) => file.includes(`\n// page\n${text}// end of page\n`))).toHaveLength(1);
    },
  );

  it("are in languages that a test knows, or say why not", () => {
    const known = new Set([...configuration, ...commands, ...programs]);
    const unknown = snippets.filter((each) => !known.has(each) && !PROSE.includes(each.language) && !each.notRun);
    expect(unknown.map(({ at, language }) => `${at} ${language}`)).toEqual([]);
  });
});

describe("the links in the documentation", () => {
  it.each(PAGES)("lead somewhere: %s", (page) => {
    for (const { target, file, anchor } of linksOf(page)) {
      account.checked += 1;
      expect(existsSync(join(ROOT, file)), target).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(file), target).toContain(anchor);
    }
  });
});

it("is short where a newcomer begins: the README has at most 150 lines", () => {
  expect(readFileSync(join(ROOT, "README.md"), "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(150);
});

afterAll(() => {
  for (const { at, notRun } of [...configuration, ...programs])
    if (notRun !== undefined) account.others.set(at, `only read: ${notRun}`);
  const reasons = Map.groupBy(account.others.values(), (reason) => reason);
  console.log(
    [
      `${snippets.length} snippets on ${PAGES.length} pages; ${account.checked} configurations, commands, programs and links checked`,
      ...[...reasons].map(([reason, { length }]) => `${length} ${reason}`),
    ].join("\n"),
  );
});
