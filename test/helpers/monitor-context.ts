import { Writable } from "node:stream";
import type { MonitorContext, MonitoredJob } from "../../providers/monitor/monitor.ts";
import { openLog } from "../../runner/run/log.ts";
import { Redactor } from "../../runner/run/redact.ts";

/** What a monitor is made with, as the runner makes it. */
export interface TestContext extends MonitorContext {
  /** The lines of the log so far, parsed. */
  lines(): Record<string, unknown>[];
}

/** Makes a context with a real log and a real redactor, which knows the secrets. */
export async function monitorContext(
  secrets: Readonly<Record<string, string>>,
  job: Partial<MonitoredJob> = {},
): Promise<TestContext> {
  let text = "";
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  const redactor = new Redactor();
  for (const secret of Object.values(secrets)) redactor.add(secret);
  const base = { stack: "prod", job: "app" };
  return {
    secrets,
    job: { stack: "prod", name: "app", timeoutMinutes: 120, release: "provision@1.2.3", ...job },
    log: await openLog({ level: "debug", base, redactor, output }),
    redact: (line) => redactor.redact(line),
    lines: () =>
      text
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}
