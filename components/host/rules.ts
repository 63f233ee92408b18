import { explain, sameDestinations, type Problem } from "../../providers/config.ts";
import { bucketRequest, folderOf, withFolder } from "../../providers/storage/index.ts";
import { backupsIn } from "./destinations.ts";
import { defaultDirectory, HostSettings } from "./settings.ts";
import type { CheckedJob, HostTarget, TargetFindings, TargetInput } from "../settings/types.ts";
import { sameDestinationProblems } from "../settings/rules/jobs.ts";
import { parseJson } from "../settings/rules/raw.ts";
import { checkReference } from "../settings/rules/secrets.ts";

/** Checks `provision:host`, and that the jobs can run on a Linux machine. */
export function checkHost({ raw, jobs, references, secretNames }: TargetInput): TargetFindings<HostTarget> {
  const path = "provision:host";
  const input = parseJson(raw.values.get("host") ?? "{}");
  const result = HostSettings.safeParse(input);
  const directory = result.data?.directory ?? defaultDirectory(raw.stack);
  const problems = [
    ...jobs.flatMap(checkDestinations),
    ...jobs.flatMap((each) => checkOwnFolder(each, backupsIn(directory))),
    ...(result.success ? [] : explain(result.error, HostSettings, input, path)),
  ];
  const warnings: string[] = [];
  for (const { path, kind, value } of references) {
    if (kind === "arn" || kind === "ssm") {
      const what = kind === "arn" ? "secret of AWS Secrets Manager" : "parameter of AWS Systems Manager";
      problems.push({
        path: `${path}.${kind}`,
        message: `a ${what} cannot be read on the target host`,
        fix: "Use a secret of the stack, { secret: name }, or a file on the machine, { file: /path }.",
      });
    } else if (kind === "env") {
      warnings.push(`${path} reads the variable ${value}, which neither systemd nor cron sets for a scheduled run.`);
    }
  }
  const connection = result.data?.connection;
  const key = connection?.privateKey?.secret;
  if (key !== undefined) problems.push(...checkReference(`${path}.connection.privateKey.secret`, key, secretNames));
  if (connection !== undefined && connection.hostKey === undefined) {
    const { host: name, port } = connection;
    warnings.push(
      `Any SSH server that answers at ${name} is taken for it, and gets the secrets. Set provision:host.connection.hostKey ` +
        `to its key, which this shows: ssh-keyscan -t ed25519 -p ${port} ${name}`,
    );
  }
  return {
    settings: result.data && {
      target: "host",
      host: { ...result.data, directory } as HostSettings,
    },
    problems,
    warnings,
    secretNames: key === undefined ? [] : [key],
  };
}

/** A destination that names the folder which another one has without naming it. */
function checkOwnFolder({ path, job: { destinations } }: CheckedJob, own: string): Problem[] {
  if (sameDestinations(destinations).length > 0) return [];
  return sameDestinationProblems(
    destinations.map((destination) => withFolder(destination, own)),
    path,
  );
}

function checkDestinations({ path: root, job }: CheckedJob): Problem[] {
  return job.destinations.flatMap((destination, index) => {
    const path = `${root}.destinations[${index}]`;
    // Such a character would end a line of a unit or a crontab.
    if (/[\p{Cc}\\]/u.test(folderOf(destination) ?? "")) {
      const message = "the path holds a control character or a backslash, which the target host cannot handle";
      return [{ path: `${path}.path`, message, fix: `pulumi config set --path '${path}.path' /srv/backups` }];
    }
    if (bucketRequest(destination) !== undefined) {
      const message = "is missing; only the target aws makes a bucket of its own";
      return [{ path: `${path}.bucket`, message, fix: `pulumi config set --path '${path}.bucket' NAME-OF-A-BUCKET` }];
    }
    return [];
  });
}
