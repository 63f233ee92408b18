import { ProviderError } from "../../../errors.ts";
import { wordsOf } from "../documented.ts";
import { textOf } from "./raw-text.ts";

/** libpq's `sslmode`s, weakest first. */
const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;

/** How a connection is protected; see libpq's documentation of `sslmode`. */
type SslMode = (typeof SSL_MODES)[number];

/** libpq's `target_session_attrs`. */
const SESSION_ATTRIBUTES = ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"] as const;

/** Which of several servers is used; see libpq's documentation of `target_session_attrs`. */
type SessionAttributes = (typeof SESSION_ATTRIBUTES)[number];

/** One server to try. */
export interface ConnectionHost {
  /** A name, an address, or the absolute path of the folder that holds the server's unix socket. */
  readonly host: string;
  readonly port: number;
}

/** What a connection URL says, with libpq's defaults filled in. */
export interface Connection {
  /** At least one; tried in this order. */
  readonly hosts: readonly ConnectionHost[];
  readonly user: string;
  readonly password: string | undefined;
  /** Makes the password of one new connection to a host; left out where the password above is all there is. */
  readonly token?: (host: ConnectionHost) => Promise<string>;
  readonly database: string;
  /** As the URL has it; undefined where it says nothing. */
  readonly sslMode: SslMode | undefined;
  /** File with the trusted authorities' certificates; `system` for the operating system's, `rds` for those of Amazon RDS. */
  readonly sslRootCertificate: string | undefined;
  /** File with the client's certificate. */
  readonly sslCertificate: string | undefined;
  /** File with the client certificate's private key. */
  readonly sslKey: string | undefined;
  readonly channelBinding: "disable" | "prefer" | "require";
  readonly targetSessionAttributes: SessionAttributes;
  /** Seconds for each host. Default 30; libpq itself would wait without end. */
  readonly connectTimeoutSeconds: number;
  /** Command-line options for the server, for instance `-c search_path=app`. */
  readonly options: string | undefined;
}

const EXAMPLE = "postgresql://user:password@host:5432/database?sslmode=verify-full";
const ENCODING_HINT =
  "In a URL's user and password the characters / ? # [ ] @ : and % must be percent-encoded, for instance @ as %40.";

/** Parameters of libpq that change nothing here: the name is always `provision`, and GSSAPI encryption is never used. */
const WITHOUT_EFFECT = ["application_name", "fallback_application_name"];

const SUPPORTED = [
  ...wordsOf("host port user password dbname sslmode sslrootcert sslcert sslkey channel_binding target_session_attrs"),
  ...wordsOf("connect_timeout options"),
  ...WITHOUT_EFFECT,
];

/** Parameters of other tools, which people copy with their URLs. */
const FOREIGN = wordsOf("pgbouncer schema connection_limit pool_timeout socket_timeout statement_cache_size supa");

/** Seconds to connect: the default, and the longest, which 0 stands for. */
const CONNECT_SECONDS = 30;
const MOST_CONNECT_SECONDS = 86_400;

/**
 * Reads a connection URI as libpq does (https://www.postgresql.org/docs/current/libpq-connect.html): percent-encoding,
 * several hosts, IPv6 in brackets, folders of unix sockets, and parameters that override the rest.
 *
 * @throws {ProviderError} `CONFIG`; the message never holds a part of the URL that could belong to the password
 */
export function parseConnectionUrl(url: string): Connection {
  const rest = withoutScheme(url);
  // libpq takes everything up to the first @ that stands before any / as user and password.
  const at = /^[^@/]*@/.exec(rest)?.[0];
  const [user = "", password] = at === undefined ? [] : splitOnce(at.slice(0, -1), ":");
  const location = at === undefined ? rest : rest.slice(at.length);
  const [authority, query] = splitOnce(location, "?");
  const [hostList, path = ""] = splitOnce(authority, "/");
  const pairs = new Map<string, string>();
  const set = (key: string, value: string | undefined): void => {
    if (value !== undefined && value !== "") pairs.set(key, value);
  };
  set("user", decode(user, "user"));
  set("password", password === undefined ? undefined : decode(password, "password"));
  const [hosts, ports] = splitHosts(hostList);
  set("host", hosts.some((host) => host !== "") ? hosts.join(",") : undefined);
  set("port", ports.some((port) => port !== "") ? ports.join(",") : undefined);
  set("dbname", decodeBytes(path, "database's name"));
  for (const [key, value] of parameters(query)) set(key, value);
  return toConnection(pairs);
}

function withoutScheme(url: string): string {
  const match = /^postgres(?:ql)?:\/\//.exec(url);
  if (match !== null) {
    if (/\s$/.test(url)) {
      throw invalid("it ends with white space", "Remove the space or the line's end after the connection URL.");
    }
    return url.slice(match[0].length);
  }
  const fix = `Write it as ${EXAMPLE}.`;
  if (url.trim() === "") throw invalid("it is empty", fix);
  if (/^\s*\w+\s*=/.test(url)) throw invalid("it is in libpq's keyword form, which is not supported", fix);
  throw invalid("it does not begin with postgresql:// or postgres://", fix);
}

function* parameters(query: string | undefined): Generator<[string, string]> {
  if (query === undefined || query === "") return;
  for (const parameter of query.split("&")) {
    const [rawKey = "", rawValue, ...more] = parameter.split("=");
    const key = decode(rawKey, "parameter's name");
    if (rawValue === undefined || more.length > 0) {
      throw invalid(
        "each parameter after the ? must be one name=value",
        `Separate parameters with &, and write = inside a value as %3D. ${ENCODING_HINT}`,
      );
    }
    const what = `value of ${SUPPORTED.includes(key) ? key : "a parameter"}`;
    const value = key === "dbname" ? decodeBytes(rawValue, what) : decode(rawValue, what);
    // libpq takes JDBC's spelling too.
    if (key === "ssl" && value === "true") yield ["sslmode", "require"];
    else if (key === "gssencmode" && ["disable", "prefer"].includes(value)) continue;
    else if (SUPPORTED.includes(key)) yield [key, value];
    else throw unknownParameter(key);
  }
}

function unknownParameter(key: string): ProviderError {
  // A parameter's name may be a piece of a password with a ? in it: only what looks like a name is repeated.
  const name = /^[a-z_]{2,30}$/i.test(key) ? `the parameter ${key}` : "a parameter";
  const why = FOREIGN.includes(key)
    ? "belongs to another tool (an ORM or a pooler), and libpq does not know it"
    : "is not supported";
  return invalid(`${name} ${why}`, `Remove it from this URL; supported are ${SUPPORTED.join(", ")}. ${ENCODING_HINT}`);
}

/** Hosts and ports as two lists, as libpq keeps them; a port that is not given is the empty string. */
function splitHosts(list: string): [string[], string[]] {
  const hosts: string[] = [];
  const ports: string[] = [];
  for (const item of list.split(",")) {
    const bracketed = /^\[([^\]]*)\](?::(.*))?$/s.exec(item);
    if (bracketed === null && item.startsWith("[")) {
      throw invalid("a host begins with [ but is not an IPv6 address in brackets", "Write it as [2001:db8::1]:5432.");
    }
    const [host, port = ""] = bracketed === null ? splitOnce(item, ":") : [bracketed[1] ?? "", bracketed[2] ?? ""];
    hosts.push(decode(host, "host"));
    ports.push(decode(port, "port"));
  }
  return [hosts, ports];
}

function toConnection(pairs: ReadonlyMap<string, string>): Connection {
  const user = pairs.get("user");
  if (user === undefined) {
    throw invalid("it names no user", `Name one, as in ${EXAMPLE}. ${ENCODING_HINT}`);
  }
  const sslRootCertificate = pairs.get("sslrootcert");
  const sslMode = oneOf("sslmode", pairs.get("sslmode"), SSL_MODES);
  if (sslRootCertificate === "system" && sslMode !== undefined && sslMode !== "verify-full") {
    throw invalid(
      `sslrootcert=system cannot be combined with sslmode=${sslMode}`,
      "Use sslmode=verify-full, as libpq demands.",
    );
  }
  for (const key of ["sslrootcert", "sslcert", "sslkey"]) {
    const file = pairs.get(key);
    if (file !== undefined && !file.startsWith("/") && !(key === "sslrootcert" && file === "system")) {
      throw invalid(
        `${key} is not an absolute path`,
        "A scheduled run has no working folder to rely on: write the whole path.",
      );
    }
  }
  if ((pairs.get("sslcert") === undefined) !== (pairs.get("sslkey") === undefined)) {
    throw invalid("sslcert and sslkey need each other", "Give both, or neither.");
  }
  return {
    hosts: toHosts(pairs.get("host"), pairs.get("port")),
    user,
    password: pairs.get("password"),
    database: pairs.get("dbname") ?? user,
    sslMode: sslMode ?? (sslRootCertificate === "system" ? "verify-full" : undefined),
    sslRootCertificate,
    sslCertificate: pairs.get("sslcert"),
    sslKey: pairs.get("sslkey"),
    channelBinding:
      oneOf("channel_binding", pairs.get("channel_binding"), ["disable", "prefer", "require"]) ?? "prefer",
    targetSessionAttributes:
      oneOf("target_session_attrs", pairs.get("target_session_attrs"), SESSION_ATTRIBUTES) ?? "any",
    connectTimeoutSeconds: toTimeout(pairs.get("connect_timeout")),
    options: pairs.get("options"),
  };
}

function toHosts(hostList: string | undefined, portList: string | undefined): ConnectionHost[] {
  const hosts = hostList?.split(",") ?? [];
  const ports = portList?.split(",") ?? [""];
  if (hosts.length === 0 || hosts.includes("")) {
    throw invalid(
      "it names no host, or an empty one among several",
      `Name the server, as in ${EXAMPLE}, or the folder of its unix socket, as in postgresql://user@/database?host=/run/postgresql.`,
    );
  }
  if (ports.length !== 1 && ports.length !== hosts.length) {
    throw invalid(
      `it has ${ports.length} ports for ${hosts.length} hosts`,
      "Give each host its port, or one port for all.",
    );
  }
  return hosts.map((host, index) => {
    // Anything else is likely to be the end of a password with an @ in it, and must not be shown as a host.
    if (!host.startsWith("/") && !/^[\w.:%-]+$/.test(host)) {
      throw invalid("a host's name has characters that no host's name has", ENCODING_HINT);
    }
    const port = (ports.length === 1 ? ports[0] : ports[index]) ?? "";
    if (port !== "" && (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535)) {
      throw invalid("a port is not a number from 1 to 65535", ENCODING_HINT);
    }
    return { host, port: port === "" ? 5432 : Number(port) };
  });
}

function toTimeout(value: string | undefined): number {
  if (value === undefined) return CONNECT_SECONDS;
  if (!/^\d{1,5}$/.test(value)) {
    throw invalid("connect_timeout is not a number of seconds", "Write for instance connect_timeout=30.");
  }
  // As in libpq, 0 is no limit; here it is the longest.
  return Number(value) === 0 ? MOST_CONNECT_SECONDS : Number(value);
}

function oneOf<Value extends string>(
  key: string,
  value: string | undefined,
  allowed: readonly Value[],
): Value | undefined {
  if (value === undefined) return undefined;
  const found = allowed.find((each) => each === value);
  if (found === undefined)
    throw invalid(`${key} has a value that libpq does not know`, `Use one of ${allowed.join(", ")}.`);
  return found;
}

/** libpq's rules: two hexadecimal digits after each %, no NUL, and a plus sign is a plus sign. */
function decode(text: string, what: string): string {
  try {
    if (text.includes("%00")) throw new URIError("NUL");
    return decodeURIComponent(text);
  } catch {
    throw invalid(
      `the ${what} has a % that is not followed by two hexadecimal digits of a UTF-8 character`,
      "Write a % itself as %25.",
    );
  }
}

/** As {@link decode}, but of any bytes: a database's name need not be UTF-8. */
function decodeBytes(text: string, what: string): string {
  // Without what stands for a byte, this is checked as everything else.
  decode(text.replaceAll(/%[89a-f][0-9a-f]/gi, ""), what);
  const parts = text.split(/(%[0-9a-f]{2})/i);
  return textOf(
    Buffer.concat(
      parts.map((part, index) => (index % 2 === 1 ? Buffer.from(part.slice(1), "hex") : Buffer.from(part))),
    ),
  );
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const index = text.indexOf(separator);
  return index === -1 ? [text, undefined] : [text.slice(0, index), text.slice(index + separator.length)];
}

function invalid(reason: string, fix: string): ProviderError {
  return new ProviderError("CONFIG", `The database's connection URL cannot be used: ${reason}.`, { fix });
}
