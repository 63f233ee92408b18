import * as pulumi from "@pulumi/pulumi";
import { BackupHost, hostSettings, withSigning } from "provision";

const config = new pulumi.Config();

const { settings, key } = withSigning(
  hostSettings({
    secrets: { appUrl: config.requireSecret("appUrl") },
    host: { directory: config.require("directory"), scheduler: config.get<"auto" | "none">("scheduler") ?? "auto" },
    jobs: [
      {
        name: "app",
        schedule: { cron: "0 3 * * *" },
        database: { kind: "postgres", url: { secret: "appUrl" } },
        destinations: [{ kind: "filesystem" }],
        retention: { last: 7, daily: 14 },
      },
    ],
  }),
);

/** How the job is scheduled, and the commands to use its backups. */
export const { jobs } = new BackupHost("backups", settings);

/** Signs the backups. Keep a copy of it apart from the stack. */
export const signingKey = key;
