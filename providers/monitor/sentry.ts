import { AsyncLocalStorage } from "node:async_hooks";
import { fileURLToPath } from "node:url";
import type { NodeClient, Scope, Span as SentrySpan } from "@sentry/node";
import { z } from "zod";
import { ProviderError } from "../errors.ts";
import { SecretRef } from "../fields/secret-ref.ts";
import { runMetrics, stepMetric, type Metric } from "./metrics.ts";
import {
  defineMonitor,
  type Attributes,
  type MonitorContext,
  type MonitoredJob,
  type RunStatus,
  type Span,
  type TelemetryProvider,
} from "./monitor.ts";
import { openClient, type SendProblem, type Sentry } from "./sentry/client.ts";
import { createHash } from "node:crypto";

/** A DSN's parts: `https://<public key>[:<old secret>]@<host>[:<port>][/<path>]/<project>`. */
const DSN =
  /^https?:\/\/(?<key>\w+)(?::\w*)?@(?<host>\[[:.\w]+\]|[\w.-]+)(?::\d{1,5})?\/(?:[\w.-]+\/)*(?<project>\d+)$/;

/** Where a DSN leads, as far as people need it. */
interface DsnParts {
  readonly host: string;
  readonly project: string;
}

/**
 * Reads a DSN, because the SDK takes a wrong one for none at all and sends nothing.
 *
 * @throws ProviderError `CONFIG` where it is none. The message does not quote it.
 */
function parseDsn(dsn: string): DsnParts {
  const { host, project } = DSN.exec(dsn)?.groups ?? {};
  if (host !== undefined && project !== undefined) return { host, project };
  throw new ProviderError("CONFIG", "The secret of the sentry monitor's dsn is no DSN.", {
    fix: "Copy it from Sentry: Settings, Projects, the project, Client Keys (DSN). It reads https://<key>@<host>/<project number>.",
  });
}

/** Sentry cuts longer slugs off, so that two jobs could share a monitor. */
const LONGEST = 50;

/** The slug itself where Sentry takes it whole, else its beginning with a hash of all of it. */
function fitSlug(slug: string): string {
  if (slug.length <= LONGEST) return slug;
  const hash = createHash("sha256").update(slug).digest("hex").slice(0, 8);
  return `${slug.slice(0, LONGEST - hash.length - 1)}-${hash}`;
}

/** Milliseconds for which {@link SentryTelemetryProvider.check} waits: a person does. */
const CHECK_MS = 10_000;

/** Characters that Sentry takes in a tag. */
const LONGEST_TAG = 200;

const minutes = () => z.int().min(1).max(40_320);
const checkIns = () => z.int().min(1).max(720);

const schema = z.strictObject({
  kind: z.literal("sentry").describe("Sentry: errors, traces, metrics, and cron monitoring of a job with a schedule."),
  dsn: SecretRef.describe("The project's DSN (Settings, Projects, the project, Client Keys)."),
  environment: z
    .string()
    .regex(/^(?!None$)[^\s/]{1,64}$/, { error: "expected up to 64 characters without spaces and '/', and not None" })
    .optional()
    .describe("Sentry's environment. Default: the stack's name.")
    .meta({ examples: ["prod"] }),
  release: z
    .string()
    .regex(/^(?!\.{1,2}$)[^\s/\\]{1,200}$/, { error: "expected up to 200 characters without spaces, '/' and '\\'" })
    .optional()
    .describe("Sentry's release. Default: provision@ and its version.")
    .meta({ examples: ["infrastructure@2026-11-23"] }),
  tracesSampleRate: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe("Share of the runs that send a trace, 0 to 1. Default 1: runs are rare.")
    .meta({ examples: [0.25] }),
  slug: z
    .string()
    .regex(/^(?!\d+$)[a-z0-9_-]{1,50}$/, {
      error: "expected 1 to 50 lower-case letters, digits, '_' and '-', not digits alone",
    })
    .optional()
    .describe("Name of the cron monitor, which the first run makes. Default: stack_job.")
    .meta({ examples: ["prod_app"] }),
  checkinMargin: minutes()
    .default(10)
    .describe("Minutes after the scheduled time at which a run that has not begun is missed. Default 10.")
    .meta({ examples: [30] }),
  maxRuntime: minutes()
    .optional()
    .describe("Minutes after which a run that has not ended is failed. Default: the job's timeoutMinutes.")
    .meta({ examples: [120] }),
  failureIssueThreshold: checkIns()
    .default(1)
    .describe("Missed or failed runs in a row that make an issue. Default 1.")
    .meta({ examples: [2] }),
  recoveryThreshold: checkIns()
    .default(1)
    .describe("Good runs in a row that resolve the issue. Default 1.")
    .meta({ examples: [2] }),
});

/** What a provider is made of. */
interface Parts {
  readonly config: z.output<typeof schema>;
  readonly context: MonitorContext;
  readonly dsn: DsnParts;
  readonly sentry: Sentry;
}

/**
 * Sends errors, one trace a run, check-ins and metrics to Sentry. Only what this class hands over leaves the machine: see
 * {@link openClient}.
 */
class SentryTelemetryProvider implements TelemetryProvider {
  readonly kind = "sentry";
  readonly #config: z.output<typeof schema>;
  readonly #job: MonitoredJob;
  readonly #log: MonitorContext["log"];
  readonly #redact: MonitorContext["redact"];
  readonly #dsn: DsnParts;
  readonly #sentry: Sentry;
  readonly #client: NodeClient;
  /** Holds the trace of this run and the tags of all that is sent. */
  readonly #scope: Scope;
  readonly #environment: string;
  readonly #slug: string;
  readonly #spans = new AsyncLocalStorage<SentrySpan>();
  #checkInId: string | undefined;
  #problems: SendProblem[] = [];

  constructor({ config, context, dsn, sentry }: Parts) {
    const { job } = context;
    this.#config = config;
    this.#job = job;
    this.#log = context.log;
    this.#redact = (text) => context.redact(text);
    this.#dsn = dsn;
    this.#sentry = sentry;
    this.#environment = config.environment ?? job.stack;
    // No name has a '_': a-b and c make another monitor than a and b-c.
    this.#slug = config.slug ?? fitSlug(`${job.stack}_${job.name}`);
    this.#client = openClient(sentry, {
      dsn: context.secrets.dsn ?? "",
      environment: this.#environment,
      release: config.release ?? job.release,
      tracesSampleRate: config.tracesSampleRate,
      root: fileURLToPath(new URL("../..", import.meta.url)),
      redact: this.#redact,
      sent: (problem) => {
        if (problem) this.#problems.push(problem);
      },
    });
    this.#scope = new sentry.Scope();
    this.#scope.setClient(this.#client);
    this.#scope.setTags({ stack: job.stack, job: job.name });
  }

  trackError(error: Error, context: Attributes): void {
    const { code, fix } = error instanceof ProviderError ? error : { code: "INTERNAL", fix: undefined };
    const { step = "run", provider = "none", destination = "none", ...rest } = context;
    const tags = { step, provider, destination, code };
    const place = [this.#job.stack, this.#job.name, ...Object.values(tags).map(String)];
    this.#inTrace((scope) => {
      for (const [name, value] of Object.entries(tags)) scope.setTag(name, this.#tag(String(value)));
      scope.setContext("backup", { ...rest, ...(fix === undefined ? {} : { fix }) });
      // Numbers, times and ids in messages differ from run to run; what is the same is where it failed, and how.
      // A defect says nothing but INTERNAL: there the place in the code tells one from another.
      scope.setFingerprint(code === "INTERNAL" ? [...place, "{{ default }}"] : place);
      // Its cause knows better where a defect arose.
      const origin = code === "INTERNAL" && error.cause instanceof Error ? error.cause : error;
      this.#client.captureException(origin, { mechanism: { handled: true, type: "generic" } }, scope);
    });
  }

  async measure<T>(name: string, attributes: Attributes, step: (span: Span) => Promise<T>): Promise<T> {
    const span = this.#inTrace((scope) =>
      this.#sentry.startInactiveSpan({ name, op: `backup.${name}`, attributes, scope }),
    );
    const begun = performance.now();
    let facts = attributes;
    const end = (failure?: unknown) => {
      const seconds = (performance.now() - begun) / 1000;
      const { bytes } = facts;
      if (typeof bytes === "number") facts = { ...facts, bytesPerSecond: Math.round(bytes / seconds) };
      span.setAttributes(facts);
      if (failure === undefined) span.setStatus({ code: 1 });
      else span.setStatus({ code: 2, message: failure instanceof ProviderError ? failure.code : "INTERNAL" });
      this.#inTrace(() => {
        span.end();
      });
      const { provider = "none" } = attributes;
      this.#record([stepMetric(seconds)], { step: name, provider, outcome: failure === undefined ? "ok" : "error" });
    };
    try {
      const result = await this.#spans.run(span, () =>
        step({
          set: (more) => {
            facts = { ...facts, ...more };
          },
          progress: () => undefined,
        }),
      );
      end();
      return result;
    } catch (error) {
      end(error ?? "unknown");
      throw error;
    }
  }

  checkIn(status: RunStatus, facts: Attributes): void {
    if (status !== "in_progress") this.#record(runMetrics(status, facts), {});
    const { schedule } = this.#job;
    // Without a schedule no run can be missed.
    if (!schedule) return;
    const { checkinMargin, maxRuntime, failureIssueThreshold, recoveryThreshold } = this.#config;
    const monitor = {
      schedule: { type: "crontab" as const, value: schedule.cron },
      timezone: schedule.timezone,
      checkinMargin,
      maxRuntime: maxRuntime ?? this.#job.timeoutMinutes,
      failureIssueThreshold,
      recoveryThreshold,
    };
    const monitorSlug = this.#slug;
    if (status === "in_progress") {
      this.#checkInId = this.#client.captureCheckIn({ monitorSlug, status }, monitor, this.#scope);
      return;
    }
    const { seconds } = facts;
    const end = {
      monitorSlug,
      // Sentry knows no half success, and a destination without its backup is none.
      status: status === "ok" ? ("ok" as const) : ("error" as const),
      ...(typeof seconds === "number" && Number.isFinite(seconds) ? { duration: seconds } : {}),
    };
    const checkInId = this.#checkInId;
    this.#client.captureCheckIn(checkInId === undefined ? end : { ...end, checkInId }, monitor, this.#scope);
  }

  async flush(timeoutMs: number): Promise<boolean> {
    const sent = await this.#inTrace(() => this.#client.flush(timeoutMs));
    const problems = this.#takeProblems();
    if (sent && problems.length === 0) return true;
    this.#log.write("warn", "Sentry did not take all that it was sent.", {
      monitor: this.kind,
      reason: problems[0]?.reason ?? `no answer within ${timeoutMs} ms`,
    });
    return false;
  }

  async check(): Promise<string> {
    this.#takeProblems();
    const event = this.#client.captureMessage("Test event of provision doctor", "info", {}, this.#scope);
    const slug = fitSlug(`${this.#slug}_doctor`);
    if (this.#job.schedule) {
      // Not the job's own monitor: there it would pass for a backup. Once a year, so that nobody hears of it again soon.
      const monitor = { schedule: { type: "interval" as const, value: 1, unit: "year" as const } };
      this.#client.captureCheckIn({ monitorSlug: slug, status: "ok" }, monitor, this.#scope);
    }
    const sent = await this.#client.flush(CHECK_MS);
    const [problem] = this.#takeProblems();
    if (!sent || problem) throw this.#refusal(problem);
    const { host, project } = this.#dsn;
    const place = `project ${project} of ${host}, environment ${this.#environment}`;
    const checkIn = this.#job.schedule ? `, and a test check-in in Crons, monitor ${slug}` : "";
    return `${place}: a test event in Issues, id ${event}${checkIn}`;
  }

  #refusal(problem: SendProblem | undefined): ProviderError {
    const { host, project } = this.#dsn;
    const { reason, status } = problem ?? { reason: `no answer within ${CHECK_MS / 1000} s`, status: undefined };
    const message = `Sentry at ${host} did not take a test event for project ${project}: ${reason}.`;
    if (status === 429) return new ProviderError("RATE_LIMITED", message, { fix: "Check the quota, or try later." });
    if (status !== undefined && status >= 400 && status < 500) {
      return new ProviderError("AUTH", message, { fix: "Copy the DSN again: its key or project may be gone." });
    }
    return new ProviderError("TRANSIENT", message, { fix: `Check that this machine reaches ${host}.` });
  }

  /** A text as the value of a tag: Sentry drops one that is longer or has several lines. */
  #tag(text: string): string {
    // Secrets go first: half of one would not be known for one.
    return this.#redact(text).replaceAll("\n", " ").slice(0, LONGEST_TAG);
  }

  #takeProblems(): SendProblem[] {
    const problems = this.#problems;
    this.#problems = [];
    return problems;
  }

  #record(metrics: readonly Metric[], attributes: Attributes): void {
    const { stack, name } = this.#job;
    for (const metric of metrics) {
      const options = { unit: metric.unit, attributes: { ...attributes, stack, job: name }, scope: this.#scope };
      const { count, gauge, distribution } = this.#sentry.metrics;
      const record = metric.unit === "count" ? count : metric.name.endsWith("_age") ? gauge : distribution;
      record(`provision.${metric.name}`, metric.value, options);
    }
  }

  /** Acts with a scope of this run, below the step that is going on: the SDK otherwise works for the whole process. */
  #inTrace<T>(act: (scope: Scope) => T): T {
    const span = this.#spans.getStore();
    return this.#sentry.withScope(this.#scope.clone(), (scope) =>
      span === undefined ? act(scope) : this.#sentry.withActiveSpan(span, act),
    );
  }
}

/** The kind `sentry`. */
export const sentry = defineMonitor({
  schema,
  secrets: ["dsn"],
  async create(config, context) {
    const dsn = parseDsn(context.secrets.dsn ?? "");
    const sdk = await import("@sentry/node");
    return new SentryTelemetryProvider({ config, context, dsn, sentry: sdk });
  },
});
