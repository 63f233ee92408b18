import { z } from "zod";
import { SecretName } from "../../providers/config.ts";
import type { FromJson, Later } from "../settings/later.ts";

const AbsolutePath = z.string().regex(/^(\/(?!\.{1,2}(\/|$))[\w.@+-]+)+$/, {
  error: "expected an absolute path whose parts are letters, digits, '.', '_', '-', '@' and '+'",
});

/** An SSH connection, as `provision:host.connection`. */
const Connection = z.strictObject({
  host: z
    .string()
    .regex(/^[A-Za-z0-9_.:%-]+$/, { error: "expected a host name or an IP address" })
    .describe("Name or address of the machine.")
    .meta({ examples: ["db1.example.com"] }),
  port: z.int().min(1).max(65_535).default(22).describe("Port of its SSH server. Default 22."),
  user: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_.@-]*$/, { error: "expected the name of a user" })
    .default("root")
    .describe("The user to connect as. Default root."),
  privateKey: z
    .strictObject({ secret: SecretName.describe("Name of one of the stack's secrets (provision:secrets).") })
    .optional()
    .describe(
      "The private key, as one of the stack's secrets. It stays with the stack. Default: the running SSH agent.",
    ),
  hostKey: z
    .string()
    .regex(/^(ssh|ecdsa|sk)-[\w@.-]+ [A-Za-z0-9+/=]+$/, {
      error: "expected a public key as ssh-keyscan prints it, without the host's name: ssh-ed25519 AAAA…",
    })
    .optional()
    .describe(
      "The machine's public key. Left out: any key is accepted, and somebody in between could read the secrets.",
    ),
});

/** What a person writes in `provision:host`. */
export const HostSettings = z.strictObject({
  directory: AbsolutePath.optional()
    .describe("Folder on the machine in which everything of the stack lives. Default /var/lib/provision/<stack>.")
    .meta({ examples: ["/srv/provision"] }),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/, {
      error: "expected the name of a user: lower-case letters, digits, '_' and '-'",
    })
    .optional()
    .describe("The user that runs the backups. Default: the one who connects, or who runs `pulumi up`."),
  connection: Connection.optional().describe("How to reach another machine over SSH. Left out: this machine."),
  removeBackupsOnDestroy: z
    .boolean()
    .default(false)
    .describe(
      "Whether `pulumi destroy` removes the backups of the stack's jobs from the machine. Takes effect with `pulumi up`. Default false.",
    ),
  adopt: z
    .boolean()
    .default(false)
    .describe(
      "Whether this stack takes over a directory, timers and crontab lines that another owner has, or one that left no mark. Set it for one `pulumi up`. Default false.",
    ),
  scheduler: z
    .enum(["auto", "systemd", "crontab", "none"])
    .default("auto")
    .describe("What starts the jobs. Default auto: systemd where it runs, else crontab, else nothing, with a warning."),
  node: AbsolutePath.optional()
    .describe("Path of node on the machine. Default: this project's own here, whatever is on the PATH elsewhere.")
    .meta({ examples: ["/usr/local/bin/node"] }),
});

/** The folder of a stack that names none. */
export function defaultDirectory(stack: string): string {
  return `/var/lib/provision/${stack}`;
}

/** The settings of the host target, complete. */
export type HostSettings = FromJson<z.output<typeof HostSettings>> & { readonly directory: string };

/** Settings in which what another resource may make, such as the machine, is an input. */
export type HostMayComeLater<T extends { readonly connection?: unknown }> = Omit<T, "connection"> & {
  readonly connection?: Later<NonNullable<T["connection"]>, "host" | "port" | "hostKey">;
};

/** The settings of the host target, complete, as `BackupHost` takes them. */
export type HostArgs = Omit<HostMayComeLater<HostSettings>, "adopt"> & Partial<Pick<HostSettings, "adopt">>;
