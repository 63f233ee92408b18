import type { z } from "zod";
import { configOf } from "../family.ts";
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
  // The kind says which definition it is, which the type checker cannot follow.
  return monitorProviders[config.kind].create(config as never, context);
}
