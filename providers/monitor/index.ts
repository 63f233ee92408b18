import type { z } from "zod";
import { configOf, createFrom } from "../family.ts";
import { log } from "./log.ts";
import type { MonitorContext, TelemetryProvider } from "./monitor.ts";
import { sentry } from "./sentry.ts";
import { webhook } from "./webhook.ts";

/** Every kind of monitor, by the name that a configuration uses. To add one: write its file, name it here. */
export const monitorProviders = { log, sentry, webhook };

/** The configuration of any monitor. */
export const MonitorConfig = configOf(monitorProviders);

/** The configuration of any monitor; see the schema of the same name. */
export type MonitorConfig = z.output<typeof MonitorConfig>;

/** Makes the monitor that a configuration describes. */
export function createMonitor(config: MonitorConfig, context: MonitorContext): Promise<TelemetryProvider> {
  return createFrom(monitorProviders, config, context);
}

/** The kinds that a run has beside the monitors of its job, because it always has one and the job names none. */
function unnamed(named: readonly MonitorConfig[]): (keyof typeof monitorProviders)[] {
  const kinds = Object.keys(monitorProviders) as (keyof typeof monitorProviders)[];
  return kinds.filter((kind) => monitorProviders[kind].always === true && !named.some((each) => each.kind === kind));
}

/** The monitors that a run has beside those of its job. */
export function alwaysOn(named: readonly MonitorConfig[]): MonitorConfig[] {
  return unnamed(named).map((kind) => MonitorConfig.parse({ kind }));
}

/** All monitors of a job's runs on the target `aws`, with what that target lives on. */
export function monitorsOnAws(named: readonly MonitorConfig[]): MonitorConfig[] {
  return [
    ...named.map((config) => monitorProviders[config.kind].onAws?.(config as never) ?? config),
    ...unnamed(named).map((kind) => monitorProviders[kind].onAws?.() ?? MonitorConfig.parse({ kind })),
  ];
}
