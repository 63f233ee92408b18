import { BackupHost } from "./components/host/backup-host.ts";
import { readSettings } from "./components/settings.ts";

const settings = readSettings();
if (settings.target !== "host") throw new Error("later");
const host = new BackupHost("host", { ...settings, source: import.meta.dirname });

/** What a person needs to know of each job: how it is scheduled, where its backups are, and the commands to use them. */
export const jobs = host.jobs;
