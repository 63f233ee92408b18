import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { registerSecret } from "./known-secrets.ts";
import { hashOf } from "./dropbox/block-hasher.ts";
import { readBody } from "./dropbox/body.ts";
import type { Body } from "./dropbox/body.ts";
import { checkHash } from "./dropbox/check-hash.ts";
import { malformed, Refusal, refuse } from "./dropbox/refusal.ts";
import type { Json } from "./dropbox/refusal.ts";
import { beginSession } from "./dropbox/upload-session.ts";
import type { Repeated, UploadSession } from "./dropbox/upload-session.ts";
import { PlannedFaults } from "./planned-faults.ts";
import { readSome } from "./read-some.ts";
import { sendBody } from "./send-body.ts";

/** How the service misbehaves, once for each time that a test asks. */
export type Fault =
  /** Answers so, and does nothing. */
  | { kind: "answer"; status: number; body?: unknown; headers?: Record<string, string> }
  /** Breaks the connection after so many bytes of the request's body. */
  | { kind: "cut request"; bytes: number }
  /** Breaks the connection after so many bytes of the response's body. */
  | { kind: "cut response"; bytes: number }
  /** Reads the request, or so many bytes of its body, and never answers. */
  | { kind: "stall"; bytes?: number }
  /** Sends no more after so many bytes of the response's body, and leaves the connection open. */
  | { kind: "stall response"; bytes: number }
  /** Does what it is asked to, and breaks the connection instead of answering. */
  | { kind: "lost" }
  /** Keeps other bytes than it was sent. */
  | { kind: "lie"; lie: "shorter" | "longer" | "different" }
  /** Lets all access tokens expire before it checks the request's. */
  | { kind: "expire tokens" }
  /** Forgets all upload sessions before it checks the request. */
  | { kind: "forget sessions" };

/** A request as it arrived, for tests that look for secrets in it. */
export interface Recorded {
  readonly endpoint: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  /** The arguments: of the header for requests with data, else the body. */
  readonly argument: string;
}

interface Node {
  readonly tag: "file" | "folder";
  readonly name: string;
  readonly lower: string;
  readonly id: string;
  readonly rev: string;
  readonly size: number;
  readonly chunks: readonly Buffer[];
  readonly hash: string;
  readonly clientModified: string;
  readonly serverModified: string;
}

type Tree = Map<string, Node>;

/** What each endpoint needs: its host, the scope, and the fields that it knows. */
const ENDPOINTS: Readonly<
  Record<string, readonly [host: "api" | "content", scope: string, fields: readonly string[]]>
> = {
  "users/get_current_account": ["api", "account_info.read", []],
  "files/upload": [
    "content",
    "files.content.write",
    ["path", "mode", "autorename", "strict_conflict", "mute", "client_modified", "content_hash"],
  ],
  "files/upload_session/start": ["content", "files.content.write", ["close", "session_type", "content_hash"]],
  "files/upload_session/append_v2": ["content", "files.content.write", ["cursor", "close", "content_hash"]],
  "files/upload_session/finish": ["content", "files.content.write", ["cursor", "commit", "content_hash"]],
  "files/get_metadata": ["api", "files.metadata.read", ["path"]],
  "files/list_folder": [
    "api",
    "files.metadata.read",
    ["path", "recursive", "limit", "include_non_downloadable_files", "include_deleted"],
  ],
  "files/list_folder/continue": ["api", "files.metadata.read", ["cursor"]],
  "files/delete_v2": ["api", "files.content.write", ["path", "parent_rev"]],
  "files/delete_batch": ["api", "files.content.write", ["entries"]],
  "files/delete_batch/check": ["api", "files.content.write", ["async_job_id"]],
  "files/download": ["content", "files.content.read", ["path"]],
};

/**
 * Dropbox on this machine, as far as backups use it: it keeps files in memory, refuses what the real one refuses, and can be
 * told to misbehave. See `dropbox-redirect.ts` for how requests come here.
 */
export class DropboxService {
  readonly appKey = "a1b2c3d4e5f6g7h";
  readonly appSecret = registerSecret("the Dropbox app secret", "app-secret-5a1f0c");
  readonly refreshToken = registerSecret("the Dropbox refresh token", "refresh-token-9c41e7d2");
  /** All that has arrived. */
  readonly requests: Recorded[] = [];
  /** What the app's tokens may do. */
  readonly scopes = new Set(["account_info.read", "files.content.write", "files.content.read", "files.metadata.read"]);
  /** Apps that use PKCE have no secret. */
  needsSecret = true;
  /** Entries of a listing's page, however many are asked for. */
  pageSize = 2000;
  /** Seconds for which an access token is valid. */
  tokenSeconds = 14_400;
  /** Whether batches are done at once, or in the background, of which the first question knows nothing yet. */
  background = false;
  /** What becomes of a session of which a file was made. */
  finished: "not_found" | "closed" | "open" = "not_found";
  /** What is said to a part that is there already, of a session that takes several at the same time. */
  repeated: Repeated = "accepted";
  /** Without the bytes of files: for tests of very many of them. */
  forgetful = false;
  /** Access tokens that were given out. */
  readonly tokens = new Set<string>();
  /** Bytes that have arrived in requests with data. */
  received = 0;
  readonly #server: Server;
  readonly #sessions = new Map<string, UploadSession>();
  readonly #trees: Readonly<Record<string, Tree>> = { "1001": new Map(), "2002": new Map() };
  readonly #cursors = new Map<string, { tree: Tree; below: string; rest: Json[]; changes: number }>();
  readonly #changes: { tree: Tree; entry: Json; lower: string }[] = [];
  readonly #jobs = new Map<string, { asked: number; entries: Json[] }>();
  readonly #faults = new PlannedFaults<string, Fault>();
  #moment = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        request.socket.destroy();
        if (!request.destroyed) throw error;
      });
    });
  }

  static async start(): Promise<DropboxService> {
    const service = new DropboxService();
    service.#server.listen(0, "127.0.0.1");
    await once(service.#server, "listening");
    return service;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Upload sessions of which no file was made. */
  get openSessions(): number {
    return this.#sessions.size;
  }

  /** See {@link PlannedFaults.add}. */
  misbehave(...planned: Parameters<PlannedFaults<string, Fault>["add"]>): void {
    this.#faults.add(...planned);
  }

  /** Whether something that it was told to do wrong was not asked for. */
  get pendingFaults(): number {
    return this.#faults.pending;
  }

  /** The paths of all files, as they are shown. */
  files(namespace: "1001" | "2002" = "1001"): string[] {
    const tree = this.#tree(namespace);
    return [...tree.values()].filter((node) => node.tag === "file").map((node) => shownPath(tree, node));
  }

  /** The bytes of a file, by its path as it is shown; undefined where there is none. */
  content(path: string): Buffer | undefined {
    const tree = this.#tree("1001");
    const node = [...tree.values()].find((each) => each.tag === "file" && shownPath(tree, each) === path);
    return node && Buffer.concat(node.chunks);
  }

  /** Makes a file or a folder as another program would. */
  put(path: string, bytes: Buffer | "folder"): void {
    const tree = this.#tree("1001");
    if (bytes === "folder") this.#makeFolders(tree, path.split("/").slice(1));
    else this.#write(tree, { path, mode: { ".tag": "overwrite" } }, [bytes], bytes.length, hashOf([bytes]));
  }

  /** Removes what is at a path as another program would. */
  delete(path: string): void {
    this.#remove(this.#tree("1001"), path.toLowerCase());
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? "";
    const [, host = "", ...path] = url.split("/");
    const endpoint = path.join("/").replace(/^2\//, "");
    const fault = this.#faults.next(endpoint);
    const header = request.headers["dropbox-api-arg"];
    const withData = header !== undefined;
    if (fault?.kind === "stall" && fault.bytes !== undefined) {
      await readSome(request, fault.bytes);
      return;
    }
    const body = await readBody(request, {
      forgetful: this.forgetful && withData,
      cutAfter: fault?.kind === "cut request" ? fault.bytes : undefined,
      arrived: (bytes) => {
        if (withData) this.received += bytes;
      },
    });
    if (body === undefined) return;
    const argument = withData ? String(header) : Buffer.concat(body.pieces).toString();
    this.requests.push({ endpoint, url, headers: request.headers, argument });
    if (fault?.kind === "stall") return;
    let answer: { body: unknown; headers?: Record<string, string>; status?: number; stream?: readonly Buffer[] };
    try {
      if (fault?.kind === "answer") throw new Refusal(fault.status, fault.body ?? "", fault.headers);
      if (fault?.kind === "expire tokens") this.#expireTokens();
      if (fault?.kind === "forget sessions") this.#sessions.clear();
      if (request.method !== "POST") throw new Refusal(405, "");
      answer =
        endpoint === "oauth2/token" && host === "api.dropboxapi.com"
          ? { body: this.#grant(request, argument) }
          : this.#call(host, endpoint, request, argument, body, fault?.kind === "lie" ? fault.lie : undefined);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      answer = { body: error.body, headers: error.headers, status: error.status };
    }
    if (fault?.kind === "lost") {
      request.socket.destroy();
      return;
    }
    const text = typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body);
    response.writeHead(answer.status ?? 200, {
      "Content-Type": typeof answer.body === "string" ? "text/plain; charset=utf-8" : "application/json",
      "X-Dropbox-Request-Id": randomBytes(16).toString("hex"),
      ...answer.headers,
    });
    const chunks = answer.stream ?? [Buffer.from(text)];
    await sendBody(response, chunks, fault);
  }

  #expireTokens(): void {
    for (const token of this.tokens) this.#expired.add(token);
    this.tokens.clear();
  }

  readonly #expired = new Set<string>();

  #grant(request: IncomingMessage, body: string): Json {
    if (request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded") !== true) {
      throw new Refusal(400, { error: "invalid_request", error_description: "The request is not a form." });
    }
    const form = new URLSearchParams(body);
    if (form.get("grant_type") !== "refresh_token") throw new Refusal(400, { error: "unsupported_grant_type" });
    const secret = form.get("client_secret") ?? undefined;
    if (form.get("client_id") !== this.appKey || secret !== (this.needsSecret ? this.appSecret : undefined)) {
      throw new Refusal(400, {
        error: "invalid_client",
        error_description: "Invalid client_id or client_secret",
      });
    }
    if (form.get("refresh_token") !== this.refreshToken) {
      throw new Refusal(400, { error: "invalid_grant", error_description: "refresh token is invalid or revoked" });
    }
    const token = registerSecret("a Dropbox access token", `sl.u.${randomBytes(24).toString("base64url")}`);
    this.tokens.add(token);
    return { access_token: token, token_type: "bearer", expires_in: this.tokenSeconds };
  }

  #authorize(request: IncomingMessage, endpoint: string, scope: string): void {
    const refusal = (tag: string, more: Json = {}) =>
      new Refusal(401, { error_summary: `${tag}/..`, error: { ".tag": tag, ...more } });
    const [scheme, token = ""] = (request.headers.authorization ?? "").split(" ");
    if (scheme !== "Bearer") throw malformed(endpoint, `Invalid authorization value in HTTP header: '${scheme ?? ""}'`);
    if (this.#expired.has(token)) throw refusal("expired_access_token");
    if (!this.tokens.has(token)) throw refusal("invalid_access_token");
    if (!this.scopes.has(scope)) throw refusal("missing_scope", { required_scope: scope });
  }

  #call(
    host: string,
    endpoint: string,
    request: IncomingMessage,
    argument: string,
    body: Body,
    lie: "shorter" | "longer" | "different" | undefined,
  ) {
    const known = ENDPOINTS[endpoint];
    if (known === undefined) throw malformed(endpoint, "Unknown API function");
    const [subdomain, scope, fields] = known;
    if (host !== `${subdomain}.dropboxapi.com`) throw malformed(endpoint, `This call belongs to ${subdomain}.`);
    this.#authorize(request, endpoint, scope);
    const type = request.headers["content-type"];
    const download = endpoint === "files/download";
    const expected = download ? undefined : subdomain === "content" ? "application/octet-stream" : "application/json";
    if (type !== expected) throw malformed(endpoint, `Bad HTTP "Content-Type" header: "${type ?? ""}".`);
    const args = parseArguments(endpoint, argument, fields);
    const tree = this.#treeOf(request, endpoint);
    if (body.tooLarge) throw refuse("payload_too_large");
    switch (endpoint) {
      case "users/get_current_account":
        return { body: { root_info: { ".tag": "team", root_namespace_id: "2002", home_namespace_id: "1001" } } };
      case "files/upload":
        return { body: this.#upload(tree, args, body, lie) };
      case "files/upload_session/start": {
        const id = `pid_upload_session:${randomBytes(12).toString("hex")}`;
        this.#sessions.set(id, beginSession(endpoint, args, body));
        return { body: { session_id: id } };
      }
      case "files/upload_session/append_v2":
        this.#session(args, "").append(args, body, this.repeated);
        return { body: null };
      case "files/upload_session/finish":
        return { body: this.#finish(tree, args, body, lie) };
      case "files/get_metadata": {
        const node = this.#lookUp(tree, String(args.path), "path");
        return { body: metadata(tree, node) };
      }
      case "files/list_folder":
        return { body: this.#list(tree, endpoint, args) };
      case "files/list_folder/continue":
        return { body: this.#nextPage(String(args.cursor)) };
      case "files/delete_v2": {
        const failure = this.#deleteOne(tree, args);
        if ("failure" in failure) throw refuse(failure.failure);
        return { body: { metadata: failure.metadata } };
      }
      case "files/delete_batch":
        return { body: this.#deleteBatch(tree, endpoint, args) };
      case "files/delete_batch/check": {
        const job = this.#jobs.get(String(args.async_job_id));
        if (job === undefined) throw refuse("invalid_async_job_id");
        job.asked += 1;
        return { body: job.asked === 1 ? { ".tag": "in_progress" } : { ".tag": "complete", entries: job.entries } };
      }
      default:
        return this.#download(tree, request, String(args.path));
    }
  }

  #tree(namespace: string): Tree {
    const tree = this.#trees[namespace];
    if (tree === undefined) throw new RangeError(`There is no namespace ${namespace}.`);
    return tree;
  }

  #treeOf(request: IncomingMessage, endpoint: string): Tree {
    const header = request.headers["dropbox-api-path-root"];
    if (header === undefined) return this.#tree("1001");
    const root = JSON.parse(String(header)) as Json;
    if (root[".tag"] !== "root") throw malformed(endpoint, "Dropbox-API-Path-Root: unknown tag");
    if (root.root !== "2002") {
      throw new Refusal(422, {
        error_summary: "invalid_root/...",
        error: { ".tag": "invalid_root", invalid_root: { ".tag": "team", root_namespace_id: "2002" } },
      });
    }
    return this.#tree("2002");
  }

  #session(args: Json, prefix: string): UploadSession {
    const session = this.#sessions.get((args.cursor as { session_id: string }).session_id);
    if (session === undefined) throw refuse(`${prefix}not_found`);
    return session;
  }

  #finish(tree: Tree, args: Json, body: Body, lie: "shorter" | "longer" | "different" | undefined): Json {
    const session = this.#session(args, "lookup_failed/");
    const { chunks, size, hash } = session.finish(args, body);
    const made = this.#commit(tree, args.commit as Json, chunks, size, hash, lie);
    if (typeof made === "string") throw refuse(`path/${made}`);
    if (this.finished === "not_found") this.#sessions.delete((args.cursor as { session_id: string }).session_id);
    if (this.finished === "closed") session.shut();
    return metadata(tree, made);
  }

  #upload(tree: Tree, args: Json, body: Body, lie: "shorter" | "longer" | "different" | undefined): Json {
    checkHash(args, body);
    const made = this.#commit(tree, args, body.pieces, body.size, body.hasher.digest(), lie);
    if (typeof made !== "string") return metadata(tree, made);
    const reason = (refuse(made).body as { error: Json }).error;
    const error = { ".tag": "path", reason, upload_session_id: "pid_upload_session:0" };
    throw new Refusal(409, { error_summary: `path/${made}/..`, error });
  }

  /** Makes the file, or says why not. */
  #commit(
    tree: Tree,
    info: Json,
    chunks: readonly Buffer[],
    size: number,
    hash: string,
    lie: "shorter" | "longer" | "different" | undefined,
  ): Node | string {
    const path = String(info.path);
    const objection = objectionTo(path);
    if (objection !== undefined) return objection;
    const lower = path.normalize("NFC").toLowerCase();
    const existing = tree.get(lower);
    const same = existing?.hash === hash && info.strict_conflict !== true;
    if (existing !== undefined && !same && (info.mode as Json | undefined)?.[".tag"] !== "overwrite") {
      return `conflict/${existing.tag}`;
    }
    for (const ancestor of ancestors(lower)) if (tree.get(ancestor)?.tag === "file") return "conflict/file_ancestor";
    if (lie === undefined) return this.#write(tree, info, chunks, size, hash);
    const bytes = Buffer.concat(chunks);
    if (lie === "different" && bytes.length > 0) bytes[bytes.length >> 1] = 255 - (bytes[bytes.length >> 1] ?? 0);
    const kept =
      lie === "longer"
        ? Buffer.concat([bytes, Buffer.from("x")])
        : bytes.subarray(0, lie === "shorter" ? -1 : undefined);
    return this.#write(tree, info, [kept], kept.length, hashOf([kept]));
  }

  #write(tree: Tree, info: Json, chunks: readonly Buffer[], size: number, hash: string): Node {
    const path = String(info.path).normalize("NFC");
    const segments = path.split("/").slice(1);
    this.#makeFolders(tree, segments.slice(0, -1));
    this.#moment += 1;
    const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    const node: Node = {
      tag: "file",
      name: segments.at(-1) ?? "",
      lower: path.toLowerCase(),
      id: `id:${this.#moment}`,
      rev: `0${this.#moment.toString(16).padStart(12, "0")}`,
      size,
      chunks,
      hash,
      clientModified: typeof info.client_modified === "string" ? info.client_modified : now,
      serverModified: now,
    };
    this.#set(tree, node);
    return node;
  }

  #makeFolders(tree: Tree, segments: readonly string[]): void {
    segments.forEach((name, depth) => {
      const lower = `/${segments.slice(0, depth + 1).join("/")}`.toLowerCase();
      if (tree.has(lower)) return;
      const nothing = { size: 0, chunks: [], hash: "", rev: "", clientModified: "", serverModified: "" };
      this.#set(tree, { tag: "folder", name, lower, id: `id:folder-${tree.size}`, ...nothing });
    });
  }

  #set(tree: Tree, node: Node): void {
    tree.set(node.lower, node);
    this.#changes.push({ tree, entry: metadata(tree, node), lower: node.lower });
  }

  #remove(tree: Tree, lower: string): void {
    const node = tree.get(lower);
    if (node === undefined) return;
    const path = shownPath(tree, node);
    for (const key of [...tree.keys()]) if (key === lower || key.startsWith(`${lower}/`)) tree.delete(key);
    const entry = { ".tag": "deleted", name: node.name, path_lower: lower, path_display: path };
    this.#changes.push({ tree, entry, lower });
  }

  #lookUp(tree: Tree, path: string, prefix: string): Node {
    const objection = objectionTo(path);
    if (objection !== undefined) throw refuse(`${prefix}/malformed_path`);
    const node = tree.get(path.toLowerCase());
    if (node === undefined) throw refuse(`${prefix}/not_found`);
    return node;
  }

  #list(tree: Tree, endpoint: string, args: Json): Json {
    const path = String(args.path);
    if (path === "/") {
      throw malformed(endpoint, 'path: Specify the root folder as an empty string rather than as "/".');
    }
    const limit = Number(args.limit ?? 500);
    if (limit < 1 || limit > 2000) throw malformed(endpoint, `limit: ${limit} is not from 1 to 2000`);
    if (path !== "" && this.#lookUp(tree, path, "path").tag === "file") throw refuse("path/not_folder");
    const below = path.toLowerCase();
    const nodes = [...tree.values()].filter((node) => node.lower.startsWith(`${below}/`));
    // Folders before what is in them, and otherwise an order that nobody should build on.
    const key = (node: Node) =>
      node.tag === "folder" ? node.lower : `~${createHash("md5").update(node.lower).digest("hex")}`;
    nodes.sort((one, other) => (key(one) < key(other) ? -1 : 1));
    const cursor = randomBytes(12).toString("hex");
    const rest = nodes.map((node) => metadata(tree, node));
    this.#cursors.set(cursor, { tree, below, rest, changes: this.#changes.length });
    return this.#nextPage(cursor);
  }

  #nextPage(cursor: string): Json {
    const state = this.#cursors.get(cursor);
    if (state === undefined) throw refuse("reset");
    const entries = state.rest.slice(0, this.pageSize);
    let rest = state.rest.slice(this.pageSize);
    let { changes } = state;
    if (rest.length === 0) {
      const since = this.#changes.slice(changes).filter((change) => change.tree === state.tree);
      rest = since.filter((change) => change.lower.startsWith(`${state.below}/`)).map((change) => change.entry);
      changes = this.#changes.length;
    }
    // The same cursor can be asked for again: an answer may have been lost.
    const next = randomBytes(12).toString("hex");
    this.#cursors.set(next, { ...state, rest, changes });
    return { entries, cursor: next, has_more: rest.length > 0 };
  }

  #deleteOne(tree: Tree, args: Json): { failure: string } | { metadata: Json } {
    const path = String(args.path);
    if (objectionTo(path) !== undefined) return { failure: "path_lookup/malformed_path" };
    const node = tree.get(path.toLowerCase());
    if (node === undefined) return { failure: "path_lookup/not_found" };
    if (args.parent_rev !== undefined && node.rev !== args.parent_rev) {
      return { failure: `path_write/conflict/${node.tag}` };
    }
    const facts = metadata(tree, node);
    this.#remove(tree, node.lower);
    return { metadata: facts };
  }

  #deleteBatch(tree: Tree, endpoint: string, args: Json): Json {
    const list = args.entries as Json[];
    if (list.length === 0 || list.length > 1000)
      throw malformed(endpoint, `entries: ${list.length} is not from 1 to 1000`);
    const entries = list.map((entry) => {
      const outcome = this.#deleteOne(tree, entry);
      if ("metadata" in outcome) return { ".tag": "success", metadata: outcome.metadata };
      return { ".tag": "failure", failure: (refuse(outcome.failure).body as { error: Json }).error };
    });
    if (!this.background) return { ".tag": "complete", entries };
    const id = `dbjid:${randomBytes(12).toString("hex")}`;
    this.#jobs.set(id, { asked: 0, entries });
    return { ".tag": "async_job_id", async_job_id: id };
  }

  #download(tree: Tree, request: IncomingMessage, path: string) {
    const byRevision = [...tree.values()].find((node) => `rev:${node.rev}` === path);
    const node = byRevision ?? this.#lookUp(tree, path, "path");
    if (node.tag === "folder") throw refuse("path/not_file");
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (start > 0 && start >= node.size) throw new Refusal(416, "");
    let skip = start;
    const stream = node.chunks.flatMap((chunk) => {
      const part = chunk.subarray(Math.min(skip, chunk.length));
      skip -= Math.min(skip, chunk.length);
      return part.length === 0 ? [] : [part];
    });
    return {
      body: null,
      stream,
      status: request.headers.range === undefined ? 200 : 206,
      headers: {
        "Content-Type": "application/octet-stream",
        "Content-Length": String(node.size - start),
        "Dropbox-Api-Result": JSON.stringify(metadata(tree, node)).replaceAll(/[\u007f-\uffff]/g, "?"),
        ...(request.headers.range === undefined
          ? {}
          : { "Content-Range": `bytes ${start}-${node.size - 1}/${node.size}` }),
      },
    };
  }
}

function parseArguments(endpoint: string, argument: string, fields: readonly string[]): Json {
  if (fields.length === 0) return {};
  let args: unknown;
  try {
    args = JSON.parse(argument);
  } catch {
    throw malformed(endpoint, "could not decode input as JSON");
  }
  if (typeof args !== "object" || args === null) throw malformed(endpoint, "expected an object");
  const unknown = Object.keys(args).find((name) => !fields.includes(name));
  if (unknown !== undefined) throw malformed(endpoint, `unknown field '${unknown}'`);
  for (const path of [(args as Json).path, ((args as Json).commit as Json | undefined)?.path]) {
    if (typeof path === "string" && !/^(\/[\s\S]*|rev:[0-9a-f]{9,}|)$/.test(path)) {
      throw malformed(endpoint, `path: '${path}' did not match pattern '(/(.|[\\r\\n])*)|(ns:[0-9]+(/.*)?)|(id:.*)'`);
    }
  }
  return args as Json;
}

/** Why the service does not take a path. */
function objectionTo(path: string): string | undefined {
  if (path === "" || path.endsWith("/") || path.includes("//")) return "malformed_path";
  // Only the Basic Multilingual Plane.
  if (/[\\\x00\x7f\ud800-\udfff]/.test(path)) return "malformed_path";
  for (const name of path.split("/").slice(1)) {
    if (name.length > 255 || name.endsWith(" ") || name === "." || name === "..") return "malformed_path";
    if (/^(desktop\.ini|thumbs\.db|\.ds_store|icon\r|\.dropbox|\.dropbox\.attr|\.dropbox\.cache)$/i.test(name)) {
      return "disallowed_name";
    }
  }
  return undefined;
}

function ancestors(lower: string): string[] {
  const segments = lower.split("/").slice(1, -1);
  return segments.map((_, depth) => `/${segments.slice(0, depth + 1).join("/")}`);
}

/** A path in which each name has its own case. */
function shownPath(tree: Tree, node: Node): string {
  return [...ancestors(node.lower).map((path) => tree.get(path)?.name ?? ""), node.name]
    .map((name) => `/${name}`)
    .join("");
}

/** What is said of a file or folder. Of `path_display` only the last name is sure, as in the real service. */
function metadata(_tree: Tree, node: Node): Json {
  const facts = {
    ".tag": node.tag,
    name: node.name,
    id: node.id,
    path_lower: node.lower,
    path_display: [...node.lower.split("/").slice(0, -1), node.name].join("/"),
  };
  if (node.tag === "folder") return facts;
  return {
    ...facts,
    rev: node.rev,
    size: node.size,
    content_hash: node.hash,
    client_modified: node.clientModified,
    server_modified: node.serverModified,
    is_downloadable: true,
  };
}
