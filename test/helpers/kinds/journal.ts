/** The monitor that `test/providers/three-steps.test.ts` adds to a copy of this tree: lines in a file. */
import { appendFileSync } from "node:fs";
import { z } from "zod";
import {
  type Attributes,
  defineMonitor,
  type MonitorContext,
  type RunStatus,
  type Span,
  type TelemetryProvider,
} from "../../../providers/monitor/monitor.ts";

const schema = z.strictObject({
  kind: z.literal("journal").describe("A file of lines."),
  path: z.string().startsWith("/").describe("Absolute path of the file."),
});

/** Appends a line of JSON for each thing that it hears of. */
class JournalTelemetryProvider implements TelemetryProvider {
  readonly kind = "journal";
  readonly #path: string;
  readonly #redact: MonitorContext["redact"];

  constructor(path: string, context: Pick<MonitorContext, "redact">) {
    this.#path = path;
    this.#redact = (text) => context.redact(text);
  }

  trackError(error: Error, context: Attributes): void {
    this.#line({ error: error.message, ...context });
  }

  async measure<T>(name: string, attributes: Attributes, step: (span: Span) => Promise<T>): Promise<T> {
    let facts = attributes;
    try {
      return await step({ set: (more) => (facts = { ...facts, ...more }), progress: () => undefined });
    } finally {
      this.#line({ step: name, ...facts });
    }
  }

  checkIn(status: RunStatus, facts: Attributes): void {
    this.#line({ status, ...facts });
  }

  flush(): Promise<boolean> {
    return Promise.resolve(true);
  }

  check(): Promise<string> {
    this.#line({ check: true });
    return Promise.resolve(`a line in ${this.#path}`);
  }

  #line(facts: object): void {
    appendFileSync(this.#path, this.#redact(JSON.stringify(facts)) + "\n");
  }
}

/** `kind: journal` */
export const journal = defineMonitor({
  schema,
  secrets: [],
  create: ({ path }, context) => Promise.resolve(new JournalTelemetryProvider(path, context)),
});
