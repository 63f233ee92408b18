import { closest, JobConfig, type Problem } from "../../providers/config.ts";
import type { RawSettings, Settings } from "./types.ts";
import { checkAws } from "../aws/rules.ts";
import { checkHost } from "../host/rules.ts";
import { checkJobs } from "./rules/jobs.ts";
import { checkReference, checkSecrets, checkSigning } from "./rules/secrets.ts";

/** What was found: settings where there is no problem. */
export interface CheckedSettings {
  readonly settings: WithoutSecrets<Settings> | undefined;
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

/** Of each target's settings all but the values of secrets, at which no rule looks. */
type WithoutSecrets<Kind> = Kind extends unknown ? Omit<Kind, "secrets"> : never;

const KEYS = ["target", "jobs", "secrets", "signing", "host", "aws"];

const TARGETS = ["host", "aws"];

/** Finds everything that is wrong with a stack's configuration. Reads no secret's value. */
export function checkSettings(raw: RawSettings): CheckedSettings {
  const secrets = checkSecrets(raw);
  const { jobs, problems: jobProblems, references: jobReferences } = checkJobs(raw);
  const { signing, problems: signingProblems, references: signingReferences } = checkSigning(raw, secrets.names);
  const references = [...jobReferences, ...signingReferences];
  const own = references.filter(({ kind }) => kind === "secret");
  const jobSecretNames = [...new Set(own.map(({ value }) => value))].sort();

  const target = raw.values.get("target") ?? "host";
  const input = { raw, jobs, references, secretNames: secrets.names };
  const found = target === "aws" ? checkAws(input) : checkHost(input);

  const problems = [
    ...checkKeys(raw),
    ...checkStack(raw.stack),
    ...checkTarget(target),
    ...secrets.problems,
    ...jobProblems,
    ...signingProblems,
    ...(TARGETS.includes(target) ? found.problems : []),
    ...own.flatMap(({ path, value }) => checkReference(`${path}.secret`, value, secrets.names)),
  ];
  const used = new Set([...jobSecretNames, ...found.secretNames]);
  const unused = secrets.names.filter((name) => !used.has(name));
  const warnings = [
    ...found.warnings,
    ...unused.map(
      (name) => `Nothing uses the secret ${name}. Remove it with: pulumi config rm --path 'provision:secrets.${name}'`,
    ),
  ];
  if (problems.length > 0 || found.settings === undefined) return { settings: undefined, problems, warnings };
  const common = { stack: raw.stack, jobs: jobs.map(({ job }) => job), jobSecretNames, ...(signing && { signing }) };
  return { settings: { ...common, ...found.settings }, problems, warnings };
}

function checkKeys(raw: RawSettings): Problem[] {
  const unknown = [...raw.values.keys()].filter((key) => !KEYS.includes(key.split(/[.[]/)[0] ?? ""));
  return unknown.map((key) => {
    const near = closest(key, KEYS);
    return {
      path: `provision:${key}`,
      message: `there is no such key; allowed are ${KEYS.join(", ")}`,
      fix:
        near === undefined
          ? `Remove it: pulumi config rm 'provision:${key}'`
          : `Did you mean provision:${near}? Rename it in Pulumi.${raw.stack}.yaml.`,
    };
  });
}

function checkStack(stack: string): Problem[] {
  if (JobConfig.shape.stack.safeParse(stack).success) return [];
  return [
    {
      path: "stack",
      message: `the stack's name "${stack}" becomes a folder of the backups; expected 1 to 40 lower-case letters, digits and '-', not at the ends`,
      fix: `Rename it: pulumi stack rename ${stack
        .toLowerCase()
        .replaceAll(/[^a-z0-9]+/g, "-")
        .replaceAll(/^-|-$/g, "")}`,
    },
  ];
}

function checkTarget(target: string): Problem[] {
  if (TARGETS.includes(target)) return [];
  const near = closest(target, TARGETS) ?? "host";
  return [
    {
      path: "provision:target",
      message: `"${target}" is no target; allowed are ${TARGETS.join(" and ")}`,
      fix: `pulumi config set provision:target ${near}`,
    },
  ];
}

/** All problems of a stack's configuration as one message for people. */
export function describeProblems(stack: string, problems: readonly Problem[]): string {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const list = problems.map(({ path, message, fix }, index) => {
    return `${index + 1}. ${path}: ${message}\n${fix.replaceAll(/^/gm, "   ")}`;
  });
  return [`The configuration of the stack ${stack} has ${count}:`, ...list].join("\n\n");
}
