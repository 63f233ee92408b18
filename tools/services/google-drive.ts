import { createHash, generateKeyPairSync, randomBytes, verify } from "node:crypto";
import type { Hash, KeyObject } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { registerSecret } from "./known-secrets.ts";
import { PlannedFaults } from "./planned-faults.ts";
import { readSome } from "./read-some.ts";
import { sendBody } from "./send-body.ts";

/** What every part of a resumable upload but the last must be a multiple of. */
const GRAIN = 256 * 1024;

/** What a request with metadata and data in one may carry. */
const MAX_MULTIPART = 5 * 1024 * 1024;

const FOLDER = "application/vnd.google-apps.folder";

const TOKEN_URL = "https://oauth2.googleapis.com/token";

const SCOPES = "https://www.googleapis.com/auth/";

/** Who may ask. */
export type Account = "user" | "service";

/** What a request is about: where faults strike. */
export type Endpoint =
  | "token"
  | "generateIds"
  | "list"
  | "get"
  | "create"
  | "update"
  | "delete"
  | "download"
  | "multipart"
  | "begin"
  | "put"
  | "probe"
  | "cancel"
  | "unknown";

/** How an upload is kept that is lied about. */
export type Lie = "shorter" | "longer" | "different" | "renamed";

/** How the service misbehaves, once for each time that a test asks. */
export type Fault =
  /** Answers so, and does nothing. */
  | { kind: "answer"; status: number; body?: unknown; headers?: Record<string, string> }
  /** Breaks the connection after so many bytes of the request's body; of a part of an upload it keeps what came. */
  | { kind: "cut request"; bytes: number }
  /** Breaks the connection after so many bytes of the response's body. */
  | { kind: "cut response"; bytes: number }
  /** Reads the request, or so many bytes of its body, and never answers. */
  | { kind: "stall"; bytes?: number }
  /** Sends no more after so many bytes of the response's body, and leaves the connection open. */
  | { kind: "stall response"; bytes: number }
  /** Does what it is asked to, and breaks the connection instead of answering. */
  | { kind: "lost" }
  /** Keeps other bytes than it was sent, or another name. */
  | { kind: "lie"; lie: Lie }
  /** Keeps only so many bytes of a part of an upload, and says so. */
  | { kind: "take"; bytes: number }
  /** Lets all access tokens expire before it checks the request's. */
  | { kind: "expire tokens" }
  /** Forgets all upload sessions before it checks the request. */
  | { kind: "forget sessions" };

/** A request as it arrived, for tests that look for secrets in it. */
export interface Recorded {
  readonly endpoint: Endpoint;
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  /** The body, where it is not data. */
  readonly argument: string;
}

interface Node {
  readonly id: string;
  name: string;
  readonly mimeType: string;
  readonly parent: string | undefined;
  readonly driveId: string | undefined;
  readonly owner: Account | undefined;
  /** Made by the app that asks; with the scope `drive.file` it sees nothing else. */
  readonly byApp: boolean;
  readonly created: number;
  readonly appProperties: Readonly<Record<string, string>>;
  size: number;
  chunks: readonly Buffer[];
  md5: string | undefined;
  sha256: string | undefined;
  trashed: boolean;
  /** Searches show it from this one on. */
  readonly shownFrom: number;
  readonly sharedWith: Set<Account>;
}

interface Session {
  readonly account: Account;
  readonly metadata: Json;
  readonly chunks: Buffer[];
  readonly md5: Hash;
  readonly sha256: Hash;
  size: number;
  made: Node | undefined;
}

interface Token {
  readonly account: Account;
  readonly scope: string;
}

type Json = Record<string, unknown>;

interface Reply {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly stream?: readonly Buffer[];
}

/** An answer that is not a success. */
class Refusal extends Error {
  readonly reply: Reply;

  constructor(reply: Reply) {
    super(String(reply.status));
    this.reply = reply;
  }
}

/** An answer in the form of the API. */
export function googleError(
  status: number,
  reason: string,
  message: string,
  location?: string,
): { status: number; body: unknown } {
  const where = location === undefined ? {} : { locationType: "parameter", location };
  return {
    status,
    body: { error: { code: status, message, errors: [{ domain: "global", reason, message, ...where }] } },
  };
}

function refuse(...error: Parameters<typeof googleError>): Refusal {
  return new Refusal(googleError(...error));
}

const notFound = (id: string) => refuse(404, "notFound", `File not found: ${id}.`, "fileId");

const STANDARD = ["alt", "fields", "prettyPrint", "supportsAllDrives"];

/** The parameters that each endpoint knows beside the standard ones. */
const PARAMETERS: Readonly<Record<Endpoint, readonly string[]>> = {
  token: [],
  generateIds: ["count", "space", "type"],
  list: ["q", "pageSize", "pageToken", "spaces", "corpora", "driveId", "includeItemsFromAllDrives", "orderBy"],
  get: ["acknowledgeAbuse"],
  create: ["ignoreDefaultVisibility"],
  update: ["addParents", "removeParents"],
  delete: [],
  download: ["acknowledgeAbuse"],
  multipart: ["uploadType", "ignoreDefaultVisibility"],
  begin: ["uploadType", "ignoreDefaultVisibility"],
  put: ["uploadType", "upload_id", "ignoreDefaultVisibility"],
  probe: ["uploadType", "upload_id", "ignoreDefaultVisibility"],
  cancel: ["uploadType", "upload_id", "ignoreDefaultVisibility"],
  unknown: [],
};

/** The fields of a file that can be asked for, those that are sent unasked first. */
const FILE_FIELDS = [
  "kind",
  "id",
  "name",
  "mimeType",
  "size",
  "createdTime",
  "md5Checksum",
  "sha256Checksum",
  "appProperties",
  "trashed",
  "driveId",
  "parents",
];

/** Why the id of an upload session stands in addresses. */
const SESSION_URLS = "Google Drive names a resumable upload by the parameter upload_id of its address";

/** One pair for all services: making one takes a while. */
let keys: { privateKey: KeyObject; publicKey: KeyObject } | undefined;

/**
 * Google Drive on this machine, as far as backups use it: it keeps files in memory, refuses what the real one refuses, and
 * can be told to misbehave. See `google-drive-redirect.ts` for how requests come here.
 */
export class GoogleDriveService {
  readonly clientId = "123456789012-a1b2c3d4.apps.googleusercontent.com";
  readonly clientSecret = registerSecret("the Google client secret", "GOCSPX-secret-5a1f0c");
  readonly refreshToken = registerSecret("the Google refresh token", "1//refresh-token-9c41e7d2");
  readonly email = "backups@example-project.iam.gserviceaccount.com";
  /** A shared drive. */
  readonly driveId = "0AFSharedDriveUk9PVA";
  /** Who is a member of the shared drive. */
  readonly members = new Set<Account>(["user", "service"]);
  /** All that has arrived. */
  readonly requests: Recorded[] = [];
  /** What the refresh token's user has allowed. */
  scope: "drive" | "drive.file" | "drive.metadata.readonly" = "drive.file";
  /** Files of a listing's page, however many are asked for. */
  pageSize = 1000;
  /** Seconds for which an access token is valid. */
  tokenSeconds = 3599;
  /** Searches do not show a new file to so many searches after it was made. */
  searchLag = 0;
  /** What becomes of requests for a session that is not known. */
  forgotten: 404 | 410 = 404;
  /** The account has no room left. */
  full = false;
  /** Whether files of the shared drive may be deleted, or only put into the trash. */
  manager = true;
  /** The checksums that are sent. */
  checksums: readonly ("md5" | "sha256")[] = ["md5", "sha256"];
  /** Milliseconds by which the service's clock differs from this machine's. */
  clockOffset = 0;
  /** Without the bytes of files: for tests of very many of them. */
  forgetful = false;
  /** Access tokens that were given out, with those that have expired. */
  readonly tokens = new Set<string>();
  /** Bytes that have arrived in requests with data. */
  received = 0;
  readonly #server: Server;
  readonly #valid = new Map<string, Token>();
  readonly #nodes = new Map<string, Node>();
  readonly #ids = new Set<string>();
  readonly #sessions = new Map<string, Session>();
  readonly #pages = new Map<string, { rest: Node[]; query: string }>();
  readonly #faults = new PlannedFaults<Endpoint, Fault>();
  #searches = 0;
  #clock = 0;

  private constructor() {
    for (const account of ["user", "service"] as const) {
      this.#add({ id: rootOf(account), name: "My Drive", mimeType: FOLDER, owner: account, byApp: true });
    }
    this.#add({ id: this.driveId, name: "Drive", mimeType: FOLDER, driveId: this.driveId, byApp: true });
    this.#server = createServer((request, response) => {
      // A request that was destroyed knows its socket no more.
      const { socket } = request;
      this.#handle(request, response, socket).catch((error: unknown) => {
        socket.destroy();
        if (!request.destroyed) throw error;
      });
    });
  }

  static async start(): Promise<GoogleDriveService> {
    const service = new GoogleDriveService();
    service.#server.listen(0, "127.0.0.1");
    await once(service.#server, "listening");
    return service;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The JSON key of the service account. */
  get serviceAccountKey(): string {
    keys ??= generateKeyPairSync("rsa", { modulusLength: 2048 });
    const pem = keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    for (const line of pem.split("\n").slice(1, -2)) registerSecret("the service account's private key", line);
    return JSON.stringify({
      type: "service_account",
      project_id: "example-project",
      private_key_id: "key-1",
      private_key: pem,
      client_email: this.email,
      token_uri: "https://elsewhere.example/token",
    });
  }

  /** Upload sessions of which no file was made. */
  get openSessions(): number {
    return [...this.#sessions.values()].filter(({ made }) => made === undefined).length;
  }

  /** See {@link PlannedFaults.add}. */
  misbehave(...planned: Parameters<PlannedFaults<Endpoint, Fault>["add"]>): void {
    this.#faults.add(...planned);
  }

  /** How often something that it was told to do wrong was not asked for. */
  get pendingFaults(): number {
    return this.#faults.pending;
  }

  /** The paths of all files and folders that are not in the trash, from a root: of the user, unless another is given. */
  paths(root: string = rootOf("user")): string[] {
    const below = (id: string, path: string): string[] =>
      [...this.#nodes.values()]
        .filter((node) => node.parent === id && !node.trashed)
        .flatMap((node) => {
          const own = `${path}/${node.name}`;
          return node.mimeType === FOLDER ? [`${own}/`, ...below(node.id, own)] : [own];
        });
    return below(root, "").sort();
  }

  /** The paths of files alone; see {@link paths}. */
  files(root?: string): string[] {
    return this.paths(root).filter((path) => !path.endsWith("/"));
  }

  /** Makes a file or a folder, in the user's root or in a folder, as a person or another app would. Gives its id. */
  put(
    name: string,
    what: Buffer | "folder",
    { parent = rootOf("user"), byApp = false, properties = {} }: PutOptions = {},
  ): string {
    const id = `hand-made-${randomBytes(12).toString("hex")}`;
    const { owner, driveId } = this.#node(parent);
    const base = { id, name, parent, byApp, owner, driveId, appProperties: properties };
    const node = this.#add({ ...base, mimeType: what === "folder" ? FOLDER : "application/octet-stream" });
    if (what !== "folder") this.#fill(node, [what]);
    return id;
  }

  /** The id of what stands at a path below a root. */
  idOf(path: string, root: string = rootOf("user")): string {
    let id = root;
    for (const name of path.split("/").filter((part) => part !== "")) {
      const found = [...this.#nodes.values()].find((node) => node.parent === id && node.name === name && !node.trashed);
      if (found === undefined) throw new RangeError(`There is nothing at ${path}.`);
      ({ id } = found);
    }
    return id;
  }

  /** The bytes of a file. */
  content(id: string): Buffer {
    return Buffer.concat(this.#node(id).chunks);
  }

  /** Replaces the bytes of a file, as another app would. */
  replace(id: string, bytes: Buffer): void {
    this.#fill(this.#node(id), [bytes]);
  }

  /** Shares a folder with the service account. */
  share(id: string): void {
    this.#node(id).sharedWith.add("service");
  }

  /** Puts into the trash, as a person would. */
  trash(id: string): void {
    this.#node(id).trashed = true;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #handle(request: IncomingMessage, response: ServerResponse, socket: Socket): Promise<void> {
    const raw = request.url ?? "";
    const url = new URL(raw.replace(/^\/([^/]+)/, "https://$1"));
    const method = request.method ?? "";
    const endpoint = endpointOf(method, url, request.headers["content-range"]);
    const fault = this.#faults.next(endpoint);
    const withData = endpoint === "put" || endpoint === "multipart";
    if (fault?.kind === "stall" && fault.bytes !== undefined) {
      await readSome(request, fault.bytes);
      return;
    }
    const data = await this.#read(request, withData, fault?.kind === "cut request" ? fault.bytes : undefined);
    const bytes = Buffer.concat(data.pieces);
    const argument = withData ? "" : bytes.toString();
    this.requests.push({ endpoint, method, url: raw, headers: request.headers, argument });
    if (data.cut) {
      this.#keepPart(url, request, bytes);
      socket.destroy();
      return;
    }
    if (fault?.kind === "stall") return;
    let reply: Reply;
    try {
      if (fault?.kind === "answer") throw new Refusal(fault);
      if (fault?.kind === "expire tokens") this.#valid.clear();
      if (fault?.kind === "forget sessions") this.#sessions.clear();
      reply = endpoint === "token" ? this.#grant(request, argument) : this.#call(endpoint, url, request, bytes, fault);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      ({ reply } = error);
    }
    if (fault?.kind === "lost") {
      socket.destroy();
      return;
    }
    await this.#reply(request, response, reply, fault);
  }

  async #reply(
    request: IncomingMessage,
    response: ServerResponse,
    { status = 200, body, headers = {}, stream }: Reply,
    fault: Fault | undefined,
  ): Promise<void> {
    const isText = typeof body === "string";
    let bytes = Buffer.from(body === undefined ? "" : isText ? body : JSON.stringify(body));
    // As the real one: only who says so twice is given compressed answers.
    const agent = request.headers["user-agent"] ?? "";
    const packed = String(request.headers["accept-encoding"]).includes("gzip") && agent.includes("gzip");
    if (packed) bytes = gzipSync(bytes);
    response.writeHead(status, {
      Date: new Date(Date.now() + this.clockOffset).toUTCString(),
      ...(stream === undefined && body !== undefined
        ? { "Content-Type": isText ? "text/plain; charset=utf-8" : "application/json; charset=UTF-8" }
        : {}),
      ...(packed ? { "Content-Encoding": "gzip" } : {}),
      ...headers,
    });
    const chunks = stream ?? [bytes];
    await sendBody(response, chunks, fault);
  }

  async #read(request: IncomingMessage, count: boolean, cutAfter: number | undefined) {
    const pieces: Buffer[] = [];
    let size = 0;
    for await (const piece of request as AsyncIterable<Buffer>) {
      if (count) this.received += piece.length;
      pieces.push(cutAfter === undefined ? piece : piece.subarray(0, Math.max(0, cutAfter - size)));
      size += piece.length;
      if (cutAfter !== undefined && size >= cutAfter) return { pieces, cut: true };
    }
    return { pieces, cut: cutAfter !== undefined };
  }

  #grant(request: IncomingMessage, body: string): Reply {
    const fail = (error: string, description: string) =>
      new Refusal({ status: error === "invalid_client" ? 401 : 400, body: { error, error_description: description } });
    if (request.headers["content-type"] !== "application/x-www-form-urlencoded") throw fail("invalid_request", "form");
    const form = new URLSearchParams(body);
    let token: Token;
    if (form.get("grant_type") === "refresh_token") {
      if (form.get("client_id") !== this.clientId) throw fail("invalid_client", "The OAuth client was not found.");
      if (form.get("client_secret") !== this.clientSecret) throw fail("invalid_client", "Unauthorized");
      if (form.get("refresh_token") !== this.refreshToken) {
        throw fail("invalid_grant", "Token has been expired or revoked.");
      }
      token = { account: "user", scope: this.scope };
    } else if (form.get("grant_type") === "urn:ietf:params:oauth:grant-type:jwt-bearer") {
      token = this.#asserted(form.get("assertion") ?? "", fail);
    } else {
      throw fail("unsupported_grant_type", `Invalid grant_type: ${form.get("grant_type") ?? ""}`);
    }
    const value = registerSecret("a Google access token", `ya29.${randomBytes(24).toString("base64url")}`);
    this.tokens.add(value);
    this.#valid.set(value, token);
    return { body: { access_token: value, token_type: "Bearer", expires_in: this.tokenSeconds } };
  }

  #asserted(assertion: string, fail: (error: string, description: string) => Refusal): Token {
    const [head = "", body = "", signature = ""] = assertion.split(".");
    const header = JSON.parse(Buffer.from(head, "base64url").toString()) as Json;
    const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as Json;
    if (claims.iss !== this.email) throw fail("invalid_grant", "Invalid grant: account not found");
    const signed = Buffer.from(`${head}.${body}`);
    const key = keys?.publicKey;
    if (
      header.alg !== "RS256" ||
      key === undefined ||
      !verify("sha256", signed, key, Buffer.from(signature, "base64url"))
    ) {
      throw fail("invalid_grant", "Invalid JWT Signature.");
    }
    if (claims.aud !== TOKEN_URL) throw fail("invalid_grant", "Invalid JWT: wrong audience.");
    const now = (Date.now() + this.clockOffset) / 1000;
    const [iat, exp] = [Number(claims.iat), Number(claims.exp)];
    if (iat > now + 300 || exp < now || exp - iat > 3600) {
      throw fail(
        "invalid_grant",
        "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. " +
          "Check your iat and exp values in the JWT claim.",
      );
    }
    const scope = String(claims.scope);
    if (!scope.startsWith(SCOPES)) throw fail("invalid_scope", `${scope} is not a valid audience string.`);
    if (claims.sub !== undefined && claims.sub !== "person@example.com") {
      throw fail("unauthorized_client", "Client is unauthorized to retrieve access tokens using this method.");
    }
    return { account: claims.sub === undefined ? "service" : "user", scope: scope.slice(SCOPES.length) };
  }

  #authorize(request: IncomingMessage): Token {
    const [scheme, value = ""] = (request.headers.authorization ?? "").split(" ");
    const token = scheme === "Bearer" ? this.#valid.get(value) : undefined;
    if (token === undefined) {
      throw refuse(401, "authError", "Request had invalid authentication credentials. Expected OAuth 2 access token.");
    }
    return token;
  }

  #call(endpoint: Endpoint, url: URL, request: IncomingMessage, body: Buffer, fault: Fault | undefined): Reply {
    if (endpoint === "unknown") throw new Refusal({ status: 404, body: "<html>Not Found</html>" });
    const token = this.#authorize(request);
    if (token.scope !== "drive" && token.scope !== "drive.file") {
      const message = "Request had insufficient authentication scopes.";
      throw refuse(403, "insufficientPermissions", `Insufficient Permission: ${message}`);
    }
    const known = [...STANDARD, ...PARAMETERS[endpoint]];
    for (const name of url.searchParams.keys()) {
      if (!known.includes(name)) throw refuse(400, "invalidParameter", `Unknown name "${name}"`, name);
    }
    const id = decodeURIComponent(url.pathname.split("/").at(-1) ?? "");
    const lie = fault?.kind === "lie" ? fault.lie : undefined;
    switch (endpoint) {
      case "generateIds":
        return this.#generateIds(url);
      case "list":
        return this.#list(token, url);
      case "get":
        return { body: this.#told(this.#visible(token, id, url), url) };
      case "create": {
        const metadata = JSON.parse(body.toString()) as Json;
        this.#checkMetadata(token, metadata, url);
        return { body: this.#told(this.#make(token, metadata), url) };
      }
      case "update": {
        const node = this.#visible(token, id, url);
        const change = JSON.parse(body.toString()) as Json;
        if (Object.keys(change).join(",") !== "trashed") throw refuse(400, "invalid", "Invalid Value");
        node.trashed = change.trashed === true;
        return { body: this.#told(node, url) };
      }
      case "delete": {
        const node = this.#visible(token, id, url);
        const mayNot = node.driveId === undefined ? node.owner !== token.account : !this.manager;
        if (mayNot) {
          const message = "The user does not have sufficient permissions for this file.";
          throw refuse(403, "insufficientFilePermissions", message);
        }
        this.#delete(node);
        return { status: 204 };
      }
      case "download":
        return this.#download(this.#visible(token, id, url), request);
      case "multipart":
        return this.#multipart(token, request, url, body, lie);
      case "begin":
        return this.#begin(token, request, url, body);
      default:
        return this.#resume(endpoint, token, request, url, body, fault);
    }
  }

  #generateIds(url: URL): Reply {
    const count = Number(url.searchParams.get("count") ?? 10);
    if (count < 1 || count > 1000) throw refuse(400, "invalid", "Invalid Value", "count");
    const ids = Array.from({ length: count }, () => `1${randomBytes(24).toString("base64url")}`);
    for (const id of ids) this.#ids.add(id);
    return { body: { kind: "drive#generatedIds", space: "drive", ids } };
  }

  /** The node of an id if the one who asks may see it, and says that shared drives are known. */
  #visible(token: Token, id: string, url: URL): Node {
    const node = this.#nodes.get(id === "root" ? rootOf(token.account) : id);
    if (node === undefined || !this.#sees(token, node)) throw notFound(id);
    if (node.driveId !== undefined && url.searchParams.get("supportsAllDrives") !== "true") throw notFound(id);
    return node;
  }

  #sees({ account, scope }: Token, node: Node): boolean {
    if (scope === "drive.file" && !node.byApp) return false;
    if (node.driveId !== undefined) return this.members.has(account);
    if (node.owner === account) return true;
    for (let at: Node | undefined = node; at !== undefined; at = this.#nodes.get(at.parent ?? "")) {
      if (at.sharedWith.has(account)) return true;
    }
    return false;
  }

  #isTrashed(node: Node): boolean {
    const parent = this.#nodes.get(node.parent ?? "");
    return node.trashed || (parent !== undefined && this.#isTrashed(parent));
  }

  #list(token: Token, url: URL): Reply {
    const asked = url.searchParams;
    const drive = asked.get("driveId");
    const allDrives = asked.get("supportsAllDrives") === "true" && asked.get("includeItemsFromAllDrives") === "true";
    if (asked.get("corpora") === "drive") {
      if (drive === null || !allDrives)
        throw refuse(403, "teamDrivesParentLimit", "driveId and flags needed", "corpora");
      if (drive !== this.driveId || !this.members.has(token.account)) {
        throw refuse(404, "notFound", `Shared drive not found: ${drive}`, "driveId");
      }
    } else if (asked.get("corpora") !== "user" || drive !== null) {
      throw refuse(400, "invalid", "Invalid Value", "corpora");
    }
    const size = Number(asked.get("pageSize") ?? 100);
    if (size < 1 || size > 1000) throw refuse(400, "invalid", "Invalid Value", "pageSize");
    const query = asked.get("q") ?? "";
    const { parent, matches } = parseQuery(query);
    this.#visible(token, parent, new URL("?supportsAllDrives=true", url));
    const id = parent === "root" ? rootOf(token.account) : parent;
    let rest: Node[];
    const pageToken = asked.get("pageToken");
    if (pageToken === null) {
      this.#searches += 1;
      rest = [...this.#nodes.values()].filter(
        (node) =>
          node.parent === id &&
          matches(node, this.#isTrashed(node)) &&
          this.#sees(token, node) &&
          node.shownFrom <= this.#searches &&
          node.driveId === (drive ?? undefined),
      );
      // An order that nobody should build on.
      rest.sort((one, other) =>
        hashOf("md5", [Buffer.from(one.id)]) < hashOf("md5", [Buffer.from(other.id)]) ? -1 : 1,
      );
    } else {
      const page = this.#pages.get(pageToken);
      if (page?.query !== query) throw refuse(400, "invalid", "Invalid Value", "pageToken");
      ({ rest } = page);
    }
    const limit = Math.min(size, this.pageSize);
    const body: Json = { kind: "drive#fileList", incompleteSearch: false, files: rest.slice(0, limit) };
    if (rest.length > limit) {
      // The same token can be used again: an answer may have been lost.
      const next = `~!!~${randomBytes(12).toString("base64url")}`;
      this.#pages.set(next, { rest: rest.slice(limit), query });
      body.nextPageToken = next;
    }
    const fields = parseFields(
      asked.get("fields") ?? "kind,incompleteSearch,nextPageToken,files(kind,id,name,mimeType)",
    );
    const told: Json = {};
    for (const [name, inner] of fields) {
      if (!["kind", "incompleteSearch", "nextPageToken", "files"].includes(name)) throw unknownField(name);
      if (name === "files") told.files = (body.files as Node[]).map((node) => this.#facts(node, inner));
      else if (name in body) told[name] = body[name];
    }
    return { body: told };
  }

  /** What is answered about a file: the fields that were asked for, and no others. */
  #told(node: Node, url: URL): Json {
    const fields = parseFields(url.searchParams.get("fields") ?? "kind,id,name,mimeType");
    return this.#facts(node, fields);
  }

  #facts(node: Node, fields: ReadonlyMap<string, unknown>): Json {
    const isFolder = node.mimeType === FOLDER;
    const has = Object.keys(node.appProperties).length > 0;
    const all: Json = {
      kind: "drive#file",
      id: node.id,
      name: node.name,
      mimeType: node.mimeType,
      size: isFolder ? undefined : String(node.size),
      createdTime: new Date(node.created).toISOString(),
      md5Checksum: this.checksums.includes("md5") ? node.md5 : undefined,
      sha256Checksum: this.checksums.includes("sha256") ? node.sha256 : undefined,
      appProperties: has ? node.appProperties : undefined,
      trashed: this.#isTrashed(node),
      driveId: node.driveId,
      parents: node.parent === undefined ? undefined : [node.parent],
    };
    for (const name of fields.keys()) if (!FILE_FIELDS.includes(name)) throw unknownField(name);
    return Object.fromEntries(Object.entries(all).filter(([name, value]) => fields.has(name) && value !== undefined));
  }

  /** Refuses what a new file may not be. */
  #checkMetadata(token: Token, metadata: Json, url: URL): void {
    const fields = ["id", "name", "mimeType", "parents", "appProperties"];
    const unknown = Object.keys(metadata).find((name) => !fields.includes(name));
    if (unknown !== undefined) throw refuse(400, "badRequest", `Unknown field ${unknown}`);
    const { id, name, parents, appProperties = {} } = metadata;
    if (typeof name !== "string" || name === "") throw refuse(400, "required", "name");
    if (!Array.isArray(parents) || parents.length !== 1) {
      throw refuse(400, "cannotAddMultipleParents", "A file must have exactly one parent.");
    }
    const parent = this.#visible(token, String(parents[0]), url);
    if (parent.mimeType !== FOLDER) throw refuse(403, "parentNotAFolder", "The specified parent is not a folder.");
    if (typeof id !== "string" || !this.#ids.has(id))
      throw refuse(400, "invalid", "The provided file ID is not usable.");
    if (this.#nodes.has(id)) throw refuse(409, "fileIdInUse", "A file already exists with the provided ID.");
    for (const [key, value] of Object.entries(appProperties as Record<string, string>)) {
      if (Buffer.byteLength(key + value) > 124) throw refuse(400, "invalid", "A property is too long.");
    }
    if (metadata.mimeType === FOLDER) return;
    if (parent.driveId === undefined && token.account === "service") {
      throw refuse(
        403,
        "storageQuotaExceeded",
        "Service Accounts do not have storage quota. Leverage shared drives, or use OAuth delegation instead.",
      );
    }
    if (this.full) {
      throw refuse(403, "storageQuotaExceeded", "The user's Drive storage quota has been exceeded.");
    }
  }

  #make(token: Token, metadata: Json): Node {
    const id = String(metadata.id);
    if (this.#nodes.has(id)) throw refuse(409, "fileIdInUse", "A file already exists with the provided ID.");
    const parent = this.#node(String((metadata.parents as string[])[0]), token);
    return this.#add({
      id,
      name: String(metadata.name),
      mimeType: String(metadata.mimeType),
      parent: parent.id,
      ...(parent.driveId === undefined ? { owner: token.account } : { driveId: parent.driveId }),
      byApp: true,
      appProperties: (metadata.appProperties ?? {}) as Record<string, string>,
    });
  }

  #add(
    facts: Pick<Node, "id" | "name" | "mimeType" | "byApp"> & { [Fact in keyof Node]?: Node[Fact] | undefined },
  ): Node {
    this.#clock = Math.max(Date.now() + this.clockOffset, this.#clock + 1);
    const node = {
      parent: undefined,
      driveId: undefined,
      owner: undefined,
      created: this.#clock,
      appProperties: {},
      size: 0,
      chunks: [],
      md5: undefined,
      sha256: undefined,
      trashed: false,
      shownFrom: this.#searches + 1 + this.searchLag,
      sharedWith: new Set(),
      ...facts,
    } as Node;
    this.#nodes.set(node.id, node);
    return node;
  }

  #node(id: string, token?: Token): Node {
    const node = this.#nodes.get(id === "root" && token !== undefined ? rootOf(token.account) : id);
    if (node === undefined) throw new RangeError(`There is no file ${id}.`);
    return node;
  }

  #delete(node: Node): void {
    for (const child of [...this.#nodes.values()]) if (child.parent === node.id) this.#delete(child);
    this.#nodes.delete(node.id);
  }

  #fill(node: Node, chunks: readonly Buffer[]): void {
    node.size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    node.chunks = this.forgetful ? [] : chunks;
    node.md5 = hashOf("md5", chunks);
    node.sha256 = hashOf("sha256", chunks);
  }

  /** Lets a file that was made hold other bytes, or bear another name. */
  #distort(node: Node, chunks: readonly Buffer[], lie: Lie): void {
    if (lie === "renamed") {
      node.name = `${node.name} (1)`;
      return;
    }
    const bytes = Buffer.concat(chunks);
    if (lie === "different" && bytes.length > 0) bytes[bytes.length >> 1] = 255 - (bytes[bytes.length >> 1] ?? 0);
    const kept = lie === "longer" ? Buffer.concat([bytes, Buffer.from("x")]) : bytes;
    this.#fill(node, [kept.subarray(0, lie === "shorter" ? -1 : undefined)]);
  }

  #multipart(token: Token, request: IncomingMessage, url: URL, body: Buffer, lie: Lie | undefined): Reply {
    const boundary = /^multipart\/related; boundary=(\S+)$/.exec(request.headers["content-type"] ?? "")?.[1];
    if (boundary === undefined) throw refuse(400, "badContent", "Unsupported content with type");
    const delimiter = `--${boundary}\r\n`;
    const second = body.indexOf(delimiter, delimiter.length);
    const tail = Buffer.from(`\r\n--${boundary}--`);
    if (
      !body.subarray(0, delimiter.length).equals(Buffer.from(delimiter)) ||
      second < 0 ||
      !body.subarray(-tail.length).equals(tail)
    ) {
      throw refuse(400, "badContent", "Malformed multipart body.");
    }
    const parts = [body.subarray(delimiter.length, second - 2), body.subarray(second + delimiter.length, -tail.length)];
    const [described, data] = parts.map((part) => {
      const end = part.indexOf("\r\n\r\n");
      return { type: part.subarray(0, end).toString(), content: part.subarray(end + 4) };
    });
    if (described?.type !== "Content-Type: application/json; charset=UTF-8")
      throw refuse(400, "badContent", "No JSON.");
    if (data === undefined || data.content.length > MAX_MULTIPART)
      throw new Refusal({ status: 413, body: "too large" });
    const metadata = JSON.parse(described.content.toString()) as Json;
    this.#checkMetadata(token, metadata, url);
    const node = this.#make(token, metadata);
    this.#fill(node, [data.content]);
    if (lie !== undefined) this.#distort(node, [data.content], lie);
    return { body: this.#told(node, url) };
  }

  #begin(token: Token, request: IncomingMessage, url: URL, body: Buffer): Reply {
    if (request.headers["content-type"] !== "application/json; charset=UTF-8")
      throw refuse(400, "badContent", "No JSON.");
    const metadata = JSON.parse(body.toString()) as Json;
    this.#checkMetadata(token, metadata, url);
    const id = registerSecret("a Google upload session", `AH${randomBytes(24).toString("base64url")}`, SESSION_URLS);
    const hashes = { md5: createHash("md5"), sha256: createHash("sha256") };
    this.#sessions.set(id, { account: token.account, metadata, chunks: [], size: 0, made: undefined, ...hashes });
    const location = new URL(url);
    location.searchParams.set("upload_id", id);
    return { headers: { Location: location.href, "Content-Length": "0" } };
  }

  /** A part of an upload, or a question how much there is, or its end. */
  #resume(
    endpoint: Endpoint,
    token: Token,
    request: IncomingMessage,
    url: URL,
    body: Buffer,
    fault: Fault | undefined,
  ): Reply {
    const id = url.searchParams.get("upload_id") ?? "";
    const session = this.#sessions.get(id);
    if (session?.account !== token.account) throw new Refusal({ status: this.forgotten, body: "Not Found" });
    if (endpoint === "cancel") {
      if (session.made === undefined) this.#sessions.delete(id);
      return { status: session.made === undefined ? 499 : 400 };
    }
    if (session.made !== undefined) return { body: this.#told(session.made, url) };
    const range = parseRange(request.headers["content-range"]);
    if (range === undefined) throw new Refusal({ status: 400, body: "Failed to parse Content-Range header." });
    const { first, last, total } = range;
    if (first !== undefined) {
      if (last - first + 1 !== body.length) throw new Refusal({ status: 400, body: "Wrong number of bytes." });
      if (first !== session.size) {
        throw new Refusal({
          status: 400,
          body: `Invalid request.  According to the Content-Range header, the upload offset is ${first} byte(s), which is not the already uploaded size of ${session.size} byte(s).`,
        });
      }
      if (last + 1 !== total && body.length % GRAIN !== 0) {
        throw new Refusal({
          status: 400,
          body: `Invalid request.  The number of bytes must be a multiple of ${GRAIN}.`,
        });
      }
      const taken = fault?.kind === "take" ? body.subarray(0, fault.bytes - (fault.bytes % GRAIN)) : body;
      this.#append(session, taken);
    }
    if (session.size !== total) {
      return { status: 308, headers: session.size === 0 ? {} : { Range: `bytes=0-${session.size - 1}` } };
    }
    const node = this.#make(token, session.metadata);
    node.size = session.size;
    node.chunks = session.chunks;
    node.md5 = session.md5.digest("hex");
    node.sha256 = session.sha256.digest("hex");
    session.made = node;
    if (fault?.kind === "lie") this.#distort(node, session.chunks, fault.lie);
    return { body: this.#told(node, url) };
  }

  #append(session: Session, bytes: Buffer): void {
    session.size += bytes.length;
    session.md5.update(bytes);
    session.sha256.update(bytes);
    if (!this.forgetful && bytes.length > 0) session.chunks.push(bytes);
  }

  /** Of a part whose connection broke, what came is kept, in whole grains. */
  #keepPart(url: URL, request: IncomingMessage, body: Buffer): void {
    const session = this.#sessions.get(url.searchParams.get("upload_id") ?? "");
    const range = parseRange(request.headers["content-range"]);
    if (session === undefined || range?.first !== session.size) return;
    this.#append(session, body.subarray(0, body.length - (body.length % GRAIN)));
  }

  #download(node: Node, request: IncomingMessage): Reply {
    if (node.mimeType === FOLDER)
      throw refuse(403, "fileNotDownloadable", "Only files with binary content can be downloaded.");
    const range = request.headers.range;
    const start = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    if (range !== undefined && start >= node.size) {
      throw refuse(416, "requestedRangeNotSatisfiable", "Request range not satisfiable", "Range");
    }
    let skip = start;
    const stream = node.chunks.flatMap((chunk) => {
      const part = chunk.subarray(Math.min(skip, chunk.length));
      skip -= Math.min(skip, chunk.length);
      return part.length === 0 ? [] : [part];
    });
    return {
      stream,
      status: range === undefined ? 200 : 206,
      headers: {
        "Content-Type": "application/octet-stream",
        "Content-Length": String(node.size - start),
        ...(range === undefined ? {} : { "Content-Range": `bytes ${start}-${node.size - 1}/${node.size}` }),
      },
    };
  }
}

/** Options of {@link GoogleDriveService.put}. */
export interface PutOptions {
  readonly parent?: string;
  readonly byApp?: boolean;
  readonly properties?: Readonly<Record<string, string>>;
}

/** The id of the folder that an account calls `root`. */
function rootOf(account: Account): string {
  return `0A${account}-root-Uk9PVA`;
}

function endpointOf(method: string, url: URL, range: string | undefined): Endpoint {
  const { hostname, pathname, searchParams } = url;
  if (url.href === TOKEN_URL && method === "POST") return "token";
  if (hostname !== "www.googleapis.com") return "unknown";
  if (pathname === "/upload/drive/v3/files") {
    if (searchParams.get("upload_id") !== null) {
      if (method === "DELETE") return "cancel";
      if (method !== "PUT") return "unknown";
      return range?.startsWith("bytes */") === true ? "probe" : "put";
    }
    const type = method === "POST" ? searchParams.get("uploadType") : null;
    return type === "multipart" ? "multipart" : type === "resumable" ? "begin" : "unknown";
  }
  if (pathname === "/drive/v3/files") return method === "GET" ? "list" : method === "POST" ? "create" : "unknown";
  if (pathname === "/drive/v3/files/generateIds") return method === "GET" ? "generateIds" : "unknown";
  if (!/^\/drive\/v3\/files\/[^/]+$/.test(pathname)) return "unknown";
  if (method === "GET") return searchParams.get("alt") === "media" ? "download" : "get";
  return method === "DELETE" ? "delete" : method === "PATCH" ? "update" : "unknown";
}

/** The searches that the provider makes; all others are refused. */
function parseQuery(query: string): { parent: string; matches: (node: Node, trashed: boolean) => boolean } {
  const text = String.raw`'((?:[^'\\]|\\['\\])*)'`;
  const parsed = new RegExp(`^${text} in parents and trashed = false(?: and name = ${text})?$`).exec(query);
  if (parsed === null) throw refuse(400, "invalid", "Invalid Value", "q");
  const [, parent = "", name] = parsed.map((part: string | undefined) => part?.replaceAll(/\\(.)/g, "$1"));
  return {
    parent,
    // As the real one, it does not tell upper case from lower case.
    matches: (node, trashed) => !trashed && (name === undefined || node.name.toLowerCase() === name.toLowerCase()),
  };
}

/** A selection of fields: `a,b(c,d)`. */
function parseFields(text: string): Map<string, Map<string, never>> {
  const fields = new Map<string, Map<string, never>>();
  for (const [, name = "", inner] of text.matchAll(/([A-Za-z0-9]+)(?:\(([^)]*)\))?(?:,|$)/g)) {
    fields.set(name, new Map(inner?.split(",").map((one) => [one, undefined as never])));
  }
  return fields;
}

function unknownField(name: string): Refusal {
  return refuse(400, "invalidParameter", `Invalid field selection ${name}`, "fields");
}

/** `first` is not there where only the size is given or asked for; `total` is not known where it is NaN. */
function parseRange(
  header: string | undefined,
): { first: number | undefined; last: number; total: number } | undefined {
  const parsed = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(header ?? "");
  if (parsed === null) return undefined;
  const [, first, last, total] = parsed;
  return {
    first: first === undefined ? undefined : Number(first),
    last: Number(last),
    total: total === "*" ? NaN : Number(total),
  };
}

function hashOf(algorithm: "md5" | "sha256", chunks: readonly Buffer[]): string {
  const hash = createHash(algorithm);
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest("hex");
}
