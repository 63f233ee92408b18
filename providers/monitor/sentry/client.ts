import type * as SentryNode from "@sentry/node";

/** A copy of a value of plain objects, lists and texts with every text changed, the names of fields too. */
function scrub(value: unknown, clean: (text: string) => string): unknown {
  if (typeof value === "string") return clean(value);
  if (Array.isArray(value)) return value.map((item) => scrub(item, clean));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [clean(name), scrub(field, clean)]));
}

/** Characters that Sentry keeps of a text. */
const LONGEST_TEXT = 8_192;

/** The SDK, loaded. */
export type Sentry = typeof SentryNode;

/** What a client is opened with. */
export interface ClientSettings {
  readonly dsn: string;
  readonly environment: string;
  readonly release: string;
  readonly tracesSampleRate: number;
  /** Folder of Provision: stack traces name files relative to it. */
  readonly root: string;
  /** Takes secrets out of a text. */
  readonly redact: (text: string) => string;
  /** Hears of each envelope's fate: undefined where it was taken, else why not. */
  readonly sent: (problem: SendProblem | undefined) => void;
}

/** Why an envelope did not arrive. */
export interface SendProblem {
  readonly reason: string;
  /** The service's HTTP status, where it answered. */
  readonly status?: number;
}

/**
 * Opens a client that sends only what it is handed. It is not the process's global one and installs nothing: no handler of
 * uncaught errors (the default one lets a process with an unhandled rejection exit with 0), no instrumentation, no
 * breadcrumbs, no headers on other requests. So nothing is collected behind Provision's back, and a new version of the
 * SDK with new defaults changes nothing either.
 */
export function openClient(Sentry: Sentry, settings: ClientSettings): SentryNode.NodeClient {
  const { sent } = settings;
  // In this order: half a secret would not be known for one.
  const clean = (text: string) => settings.redact(text).slice(0, LONGEST_TEXT);
  const client = new Sentry.NodeClient({
    dsn: settings.dsn,
    environment: settings.environment,
    release: settings.release,
    tracesSampleRate: settings.tracesSampleRate,
    tracePropagationTargets: [],
    dataCollection: {
      userInfo: false,
      cookies: false,
      httpHeaders: false,
      httpBodies: [],
      urlQueryParams: false,
      databaseQueryData: false,
      queues: false,
      stackFrameVariables: false,
      frameContextLines: 0,
    },
    includeServerName: false,
    sendClientReports: false,
    enableRuntimeChannelInjection: false,
    maxBreadcrumbs: 0,
    stackParser: Sentry.defaultStackParser,
    integrations: [Sentry.rewriteFramesIntegration({ root: settings.root })],
    // Everything that leaves passes here, of whatever kind it is.
    transport: (options) => {
      const transport = Sentry.makeNodeTransport(options);
      return {
        send: async (envelope) => {
          try {
            const { statusCode } = await transport.send(scrub(envelope, clean) as typeof envelope);
            sent(problemOf(statusCode));
            return {};
          } catch (error) {
            const { code } = error as NodeJS.ErrnoException;
            sent({ reason: code ?? "the connection failed" });
            return {};
          }
        },
        flush: (timeout) => transport.flush(timeout),
      };
    },
  });
  client.init();
  return client;
}

function problemOf(status: number | undefined): SendProblem | undefined {
  // The SDK sends nothing for a while where the service asked for it; then there is no status.
  if (status === undefined) return { reason: "the service limits the rate", status: 429 };
  return status >= 200 && status < 300 ? undefined : { reason: `HTTP ${status}`, status };
}
