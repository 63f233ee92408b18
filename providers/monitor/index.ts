import { z } from "zod";
import { log } from "./log.ts";
import type { MonitorContext, TelemetryProvider } from "./monitor.ts";

/** Every kind of monitor, by the name that a configuration uses. To add one: write its file, name it here. */
export const monitorProviders = { log };

/** The configuration of any monitor. */
export const MonitorConfig = z.discriminatedUnion("kind", [log.schema]);

/** The configuration of any monitor; see the schema of the same name. */
export type MonitorConfig = z.output<typeof MonitorConfig>;

/** Makes the monitor that a configuration describes. */
export function createMonitor(config: MonitorConfig, context: MonitorContext): Promise<TelemetryProvider> {
  return monitorProviders[config.kind].create(config, context);
}
