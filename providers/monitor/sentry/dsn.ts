import { ProviderError } from "../../errors.ts";

/** A DSN's parts: `https://<public key>[:<old secret>]@<host>[:<port>][/<path>]/<project>`. */
const DSN =
  /^https?:\/\/(?<key>\w+)(?::\w*)?@(?<host>\[[:.\w]+\]|[\w.-]+)(?::\d{1,5})?\/(?:[\w.-]+\/)*(?<project>\d+)$/;

/** Where a DSN leads, as far as people need it. */
export interface DsnParts {
  readonly host: string;
  readonly project: string;
}

/**
 * Reads a DSN, because the SDK takes a wrong one for none at all and sends nothing.
 *
 * @throws ProviderError `CONFIG` where it is none. The message does not quote it.
 */
export function parseDsn(dsn: string): DsnParts {
  const { host, project } = DSN.exec(dsn)?.groups ?? {};
  if (host !== undefined && project !== undefined) return { host, project };
  throw new ProviderError("CONFIG", "The secret of the sentry monitor's dsn is no DSN.", {
    fix: "Copy it from Sentry: Settings, Projects, the project, Client Keys (DSN). It reads https://<key>@<host>/<project number>.",
  });
}
