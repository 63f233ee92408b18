import type { JobConfig, JobSettings } from "./config.ts";
import { databaseProviders } from "./database/index.ts";
import type { DeployedTask, PolicyStatement } from "./definition.ts";
import { filesProviders } from "./files/index.ts";
import { monitorProviders } from "./monitor/index.ts";
import { storageProviders } from "./storage/index.ts";

/** What all providers of a job declare that the role of one of its tasks on AWS must be allowed to do. */
export function jobPermissions(job: JobConfig, task: Pick<DeployedTask, "access" | "partition">): PolicyStatement[] {
  const about: DeployedTask = { ...task, stack: job.stack, job: job.name };
  return declarations(job).flatMap(([config, kind]) => kind.permissions?.(config as never, about) ?? []);
}

/** The TCP ports that a job's providers declare to connect to, sorted; 443 goes without saying. */
export function jobPorts(job: JobSettings): number[] {
  const ports = declarations(job).flatMap(([config, kind]) => kind.ports?.(config as never) ?? []);
  return [...new Set(ports)].filter((port) => port !== 443).sort((a, b) => a - b);
}

/** The configuration of each provider of a job, with what its kind declares. */
function declarations(job: JobSettings) {
  return [
    [job.database, databaseProviders[job.database.kind]] as const,
    ...(job.files ? [[job.files, filesProviders[job.files.kind]] as const] : []),
    ...job.destinations.map((config) => [config, storageProviders[config.kind]] as const),
    ...job.monitor.map((config) => [config, monitorProviders[config.kind]] as const),
  ];
}
