import { closest, explain, JobConfig, JobSettings, Schedule, SecretName, type Problem } from "../providers/config.ts";
import { parseCron } from "./cron.ts";
import { localPath } from "./host/backup-places.ts";
import { HostSettings } from "./host/host-settings.ts";
import type { Settings } from "./settings.ts";

/** The stack's configuration as Pulumi hands it over. */
export interface RawSettings {
  readonly stack: string;
  /** Texts by key without the namespace; lists and objects are JSON. */
  readonly values: ReadonlyMap<string, string>;
  /** Whether a key's value holds anything encrypted. */
  isSecret(key: string): boolean;
}

/** What was found: settings where there is no problem. */
export interface CheckedSettings {
  readonly settings: Omit<Settings, "secrets"> | undefined;
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

const KEYS = ["target", "jobs", "secrets", "host"];

const EXAMPLE_JOB = `  provision:jobs:
    - name: app
      schedule: { cron: "0 3 * * *" }
      database: { kind: postgres, url: { secret: appDatabaseUrl } }
      destinations: [{ kind: filesystem }]`;

/** Checks a stack's configuration as a whole and finds everything that is wrong with it. Looks at no secret's value. */
export function checkSettings(raw: RawSettings): CheckedSettings {
  const problems = [...checkKeys(raw), ...checkStack(raw.stack), ...checkTarget(raw.values.get("target"))];
  const secrets = checkSecrets(raw);
  const jobs = checkJobs(raw);
  const host = checkHost(raw);
  problems.push(...secrets.problems, ...jobs.problems, ...host.problems);
  const used = new Set<string>();
  const warnings: string[] = [];
  for (const { path, kind, value } of jobs.references) {
    if (kind === "secret") {
      used.add(value);
      problems.push(...checkReference(`${path}.secret`, value, secrets.names));
    } else if (kind === "arn") {
      problems.push({
        path: `${path}.arn`,
        message: "a secret of AWS Secrets Manager cannot be read on the target host",
        fix: "Use a secret of the stack, { secret: name }, or a file on the machine, { file: /path }.",
      });
    } else {
      warnings.push(`${path} reads the variable ${value}, which neither systemd nor cron sets for a scheduled run.`);
    }
  }
  const jobSecretNames = [...used].sort();
  const key = host.settings?.connection?.privateKey?.secret;
  if (key !== undefined) {
    used.add(key);
    problems.push(...checkReference("provision:host.connection.privateKey.secret", key, secrets.names));
  }
  for (const name of secrets.names.filter((name) => !used.has(name))) {
    warnings.push(
      `Nothing uses the secret ${name}. Remove it with: pulumi config rm --path 'provision:secrets.${name}'`,
    );
  }
  if (host.settings?.connection !== undefined && host.settings.connection.hostKey === undefined) {
    const { host: name, port } = host.settings.connection;
    warnings.push(
      `Any SSH server that answers at ${name} is taken for it, and gets the secrets. Set provision:host.connection.hostKey ` +
        `to its key, which this shows: ssh-keyscan -t ed25519 -p ${port} ${name}`,
    );
  }
  if (problems.length > 0 || host.settings === undefined) return { settings: undefined, problems, warnings };
  const { stack } = raw;
  return {
    settings: { stack, target: "host", jobs: jobs.jobs, host: host.settings, jobSecretNames },
    problems,
    warnings,
  };
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

function checkTarget(target: string | undefined): Problem[] {
  if (target === undefined || target === "host") return [];
  return [
    {
      path: "provision:target",
      message: `"${target}" is no target; allowed is host`,
      fix: "pulumi config set provision:target host",
    },
  ];
}

function checkSecrets(raw: RawSettings): { names: string[]; problems: Problem[] } {
  const path = "provision:secrets";
  const setOne = `pulumi config set --secret --path '${path}.appDatabaseUrl'`;
  const value = parseJson(raw.values.get("secrets") ?? "{}");
  if (!isObject(value)) {
    const message = "expected one entry a secret, each a name and a text";
    return { names: [], problems: [{ path, message, fix: `pulumi config rm ${path}\n${setOne}` }] };
  }
  const names = Object.keys(value);
  const problems = names.flatMap((name): Problem[] => {
    const place = `${path}.${name}`;
    if (!SecretName.safeParse(name).success) {
      const message = `"${name}" is no name for a secret; expected a letter, then letters, digits or underscores, 63 at most`;
      return [{ path: place, message, fix: `Rename it in Pulumi.${raw.stack}.yaml, and where jobs refer to it.` }];
    }
    const secret = value[name];
    if (typeof secret === "string" && secret !== "") return [];
    const message = secret === "" ? "the secret is empty" : "expected a text";
    return [{ path: place, message, fix: `pulumi config set --secret --path '${place}'` }];
  });
  if (names.length > 0 && !raw.isSecret("secrets")) {
    problems.push({
      path,
      message: "the secrets stand there in plain text",
      fix:
        `Change them where they come from, since they may have been seen, and set each of them encrypted:\n` +
        names.map((name) => `pulumi config set --secret --path '${path}.${name}'`).join("\n"),
    });
  }
  return { names, problems };
}

interface CheckedJobs {
  readonly jobs: readonly JobSettings[];
  readonly problems: readonly Problem[];
  readonly references: readonly Reference[];
}

function checkJobs(raw: RawSettings): CheckedJobs {
  const path = "provision:jobs";
  const list = parseJson(raw.values.get("jobs") ?? "[]");
  if (!Array.isArray(list) || list.length === 0) {
    const message = Array.isArray(list) ? "there is no job" : "expected a list of jobs";
    const fix = `Write one in Pulumi.${raw.stack}.yaml:\n${EXAMPLE_JOB}`;
    return { jobs: [], problems: [{ path, message, fix }], references: [] };
  }
  const jobs: JobSettings[] = [];
  const problems: Problem[] = [];
  const names = new Map<unknown, string>();
  for (const [index, input] of (list as unknown[]).entries()) {
    const root = `${path}[${index}]`;
    const { name, schedule, prune, drill } = isObject(input) ? input : {};
    const first = names.get(name);
    if (typeof name === "string" && first !== undefined) {
      problems.push({
        path: `${root}.name`,
        message: `"${name}" is already the name of ${first}; each job needs its own`,
        fix: `pulumi config set --path '${root}.name' ${name}-2`,
      });
    } else names.set(name, root);
    const result = JobSettings.safeParse(input);
    if (result.success) jobs.push(result.data);
    else problems.push(...explain(result.error, JobSettings, input, root));
    problems.push(...checkCron(schedule, `${root}.schedule.cron`));
    for (const [task, value] of Object.entries({ prune, drill })) {
      problems.push(...checkCron(isObject(value) ? value.schedule : undefined, `${root}.${task}.schedule.cron`));
    }
    if (result.success) problems.push(...checkDestinations(result.data, root));
  }
  return { jobs, problems, references: references(list, path) };
}

/** The contract's schema sees only whether there are five fields. */
function checkCron(schedule: unknown, path: string): Problem[] {
  const cron = isObject(schedule) ? schedule.cron : undefined;
  if (typeof cron !== "string" || !Schedule.shape.cron.safeParse(cron).success) return [];
  try {
    parseCron(cron);
    return [];
  } catch (error) {
    const message = `"${cron}" is no time: ${(error as Error).message}`;
    return [
      { path, message, fix: `For every day at 3:00, for instance: pulumi config set --path '${path}' '0 3 * * *'` },
    ];
  }
}

function checkDestinations(job: JobSettings, root: string): Problem[] {
  const problems: Problem[] = [];
  for (const [index, destination] of job.destinations.entries()) {
    const path = `${root}.destinations[${index}]`;
    const same = job.destinations.findIndex((other) => JSON.stringify(other) === JSON.stringify(destination));
    if (same < index) {
      const message = `it is the same as ${root}.destinations[${same}], and two copies cannot be in one place`;
      problems.push({ path, message, fix: `Give it another prefix, or remove it: pulumi config rm --path '${path}'` });
    }
    // Such a character would end a line of a unit or a crontab.
    if (/[\p{Cc}\\]/u.test(localPath(destination) ?? "")) {
      const message = "the path holds a control character or a backslash, which the target host cannot handle";
      problems.push({ path: `${path}.path`, message, fix: `pulumi config set --path '${path}.path' /srv/backups` });
    }
  }
  return problems;
}

/** A reference to a secret, wherever in the configuration it stands. */
interface Reference {
  readonly path: string;
  readonly kind: "secret" | "env" | "arn";
  readonly value: string;
}

/** Looks at the raw values, so that a mistake elsewhere hides no reference. */
function references(value: unknown, path: string): Reference[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => references(item, `${path}[${index}]`));
  if (!isObject(value)) return [];
  const [only, ...others] = Object.entries(value);
  if (only !== undefined && others.length === 0) {
    const [kind, name] = only;
    if ((kind === "secret" || kind === "env" || kind === "arn") && typeof name === "string") {
      return [{ path, kind, value: name }];
    }
  }
  return Object.entries(value).flatMap(([key, item]) => references(item, `${path}.${key}`));
}

function checkHost(raw: RawSettings): { settings: HostSettings | undefined; problems: Problem[] } {
  const path = "provision:host";
  const input = parseJson(raw.values.get("host") ?? "{}");
  const result = HostSettings.safeParse(input);
  if (!result.success) return { settings: undefined, problems: explain(result.error, HostSettings, input, path) };
  return {
    settings: { ...result.data, directory: result.data.directory ?? `/var/lib/provision/${raw.stack}` },
    problems: [],
  };
}

function checkReference(path: string, name: string, names: readonly string[]): Problem[] {
  if (names.includes(name)) return [];
  const near = closest(name, names);
  const setIt = `pulumi config set --secret --path 'provision:secrets.${name}'`;
  return [
    {
      path,
      message: `the stack has no secret "${name}"; it has ${names.length === 0 ? "none" : names.join(", ")}`,
      fix: near === undefined ? `Set it: ${setIt}` : `Did you mean ${near}? If not, set it: ${setIt}`,
    },
  ];
}

/** Texts that are no JSON are plain texts: Pulumi hands over both alike. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
