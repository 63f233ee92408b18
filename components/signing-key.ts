import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Signing } from "../providers/config.ts";
import type { Settings } from "./settings/types.ts";

/** The name of the secret that holds the key which the stack makes itself. */
export const SIGNING_KEY = "provisionSigningKey";

/**
 * Prints a key: the time, which tells older backups from forged ones, and 32 random bytes. Pulumi finds node on the PATH; shells of
 * Unix and Windows leave the text unchanged.
 */
const MAKE_KEY =
  "node -e \"const made = new Date().toISOString().replace(/[-:]|[.][0-9]+/g, '');" +
  " console.log('provision-key-' + made + '-' + require('crypto').randomBytes(32).toString('hex'))\"";

/**
 * The key with which a stack signs its backups, kept in its state alone. It is made once: no change of the program or of its
 * version makes another.
 */
export class SigningKey extends pulumi.ComponentResource {
  /** The key's text; a secret output. */
  readonly key: pulumi.Output<string>;

  constructor(name: string, opts?: pulumi.ComponentResourceOptions) {
    super("provision:index:SigningKey", name, {}, opts);
    const command = new local.Command(
      `${name}-made`,
      { create: MAKE_KEY, logging: local.Logging.None, addPreviousOutputInEnv: false },
      {
        parent: this,
        additionalSecretOutputs: ["stdout", "stderr"],
        // A changed command would be run again.
        ignoreChanges: ["create", "logging", "addPreviousOutputInEnv"],
      },
    );
    this.key = pulumi.secret(command.stdout);
    this.registerOutputs({});
  }
}

/**
 * The settings with a key for every job that names none, and the key itself; a secret output. Where they name one for all jobs,
 * none is made.
 *
 * @param name the name of the key's component, of which each in a program has its own. Default `signing`.
 */
export function withSigning<Kind extends Omit<Settings, "target">>(
  settings: Kind,
  name = "signing",
  opts?: pulumi.ComponentResourceOptions,
): { settings: Kind; key: pulumi.Output<string> | undefined } {
  const needed = settings.jobs.some((job) => job.signing === undefined);
  if (settings.signing !== undefined || !needed) {
    return { settings: { ...settings, jobs: signed(settings, settings.signing) }, key: undefined };
  }
  const { key } = new SigningKey(name, opts);
  const secrets = { ...settings.secrets, [SIGNING_KEY]: key };
  const jobs = signed(settings, { key: { secret: SIGNING_KEY } });
  const jobSecretNames = [...settings.jobSecretNames, SIGNING_KEY].sort();
  return { settings: { ...settings, jobs, secrets, jobSecretNames }, key };
}

function signed({ jobs }: Pick<Settings, "jobs">, signing: Signing | undefined): Settings["jobs"] {
  return jobs.map((job) => (signing === undefined ? job : { ...job, signing: job.signing ?? signing }));
}
