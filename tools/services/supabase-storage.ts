import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createReadStream, existsSync, mkdtempSync, rmSync } from "node:fs";
import { readFile, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, OutgoingHttpHeaders, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { FileStore } from "@tus/file-store";
import { EVENTS, Server as TusServer } from "@tus/server";
import type { Upload } from "@tus/server";
import { registerSecret } from "./known-secrets.ts";

const MiB = 1024 * 1024;

/** The only size that a request of a resumable upload may have, but for the last and for the rest of a broken one. */
const CHUNK = 6 * MiB;

/** What S3 takes for a part that is not the last one. */
const SMALLEST_PART = 5 * MiB;

const BASE = "/storage/v1";
const RESUMABLE = `${BASE}/upload/resumable`;

/** Which bytes the service keeps in place of those that it was sent. */
export type Lie = "shorter" | "longer" | "different";

interface Bucket {
  readonly id: string;
  public: boolean;
  fileSizeLimit: number | null;
  allowedMimeTypes: string[] | null;
  readonly made: string;
}

interface StoredObject {
  readonly id: string;
  readonly name: string;
  readonly size: number;
  readonly etag: string;
  /** Null for a row whose metadata do not say. */
  readonly type: string | null;
  readonly cacheControl: string | null;
  readonly metadata: unknown;
  readonly created: string;
  /** When it was last written. */
  readonly moment: string;
  /** The bytes, or the file that holds them. */
  readonly content: Buffer | string;
}

type Json = Record<string, unknown>;

/** An answer that is not a success: told with status 400, and with the true status in its text. */
class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly word: string;

  constructor(status: number, code: string, word: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.word = word;
  }
}

const refusals = {
  noBucket: () => new Refusal(404, "NoSuchBucket", "Bucket not found", "Bucket not found"),
  noContent: () => new Refusal(404, "NoSuchKey", "Not found", "The resource was not found"),
  noObject: () => new Refusal(404, "NoSuchKey", "not_found", "Object not found"),
  exists: () => new Refusal(409, "KeyAlreadyExists", "Duplicate", "The resource already exists"),
  bucketExists: () => new Refusal(409, "BucketAlreadyExists", "Duplicate", "The resource already exists"),
  range: () => new Refusal(416, "InvalidRange", "invalid_range", "invalid range provided"),
  tooLarge: () =>
    new Refusal(413, "EntityTooLarge", "Payload too large", "The object exceeded the maximum allowed size"),
  type: (type: string) =>
    new Refusal(415, "InvalidMimeType", "invalid_mime_type", `mime type ${type} is not supported`),
  key: (name: string) => new Refusal(400, "InvalidKey", "InvalidKey", `Invalid key: ${name}`),
  fault: () => new Refusal(500, "InternalError", "Internal", "Internal Server Error"),
  policy: () => new Refusal(403, "AccessDenied", "Unauthorized", "new row violates row-level security policy"),
  parameter: (message: string) => new Refusal(400, "InvalidRequest", "Error", message),
};

/** A key in the manner of the legacy ones: a token that names its role. */
function tokenOf(role: string): string {
  const part = (value: Json) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256", typ: "JWT" })}.${part({ iss: "supabase", role })}.c2lnbmF0dXJlLW9mLWl0`;
}

/**
 * Supabase Storage on this machine, as far as backups use it: it refuses what the real one refuses. Large objects are kept in
 * files. For what a network does wrong, put a proxy in front.
 */
export class SupabaseStorageService {
  readonly serviceKey = registerSecret("the Supabase service key", tokenOf("service_role"));
  readonly secretKey = registerSecret("the Supabase secret key", "sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz");
  readonly anonKey = tokenOf("anon");
  /** A user's key, which policies bind: it may look and not write. */
  readonly userKey = registerSecret("a Supabase user's key", tokenOf("authenticated"));
  readonly buckets = new Map<string, Bucket>();
  readonly objects = new Map<string, StoredObject>();
  /** The largest object of the project. */
  sizeLimit = 50 * 1024 * MiB;
  /** Objects of a listing's page, however many are asked for. */
  pageSize = 1000;
  /** Answers have no `code`, as those of older services. */
  old = false;
  /** What objects' tags are: MD5, or something that only looks like it, as where the service encrypts. */
  etags: "md5" | "encrypted" = "md5";
  /** Keeps other bytes of the next object than it is sent, if that is not empty. */
  lie: Lie | undefined;
  /** Fails when it has put the next large object together, and does not show it. */
  failsToFinish = false;
  /** Where contents are kept: as what the service runs on answers where one is lost. */
  backend: "file" | "s3" = "s3";
  /** Objects, as `bucket/name`, that the service cannot read, for a fault of its own; `*` for all. */
  readonly unreadable = new Set<string>();
  /** Objects, as `bucket/name`, of which there is only the row in the database, as after the restore of one. */
  readonly rowsAlone = new Set<string>();
  /** Objects that were downloaded, as `bucket/name`. */
  readonly downloaded: string[] = [];
  /** Names that policies let nobody remove. */
  readonly kept = new Set<string>();
  readonly #server: Server;
  readonly #folder = mkdtempSync(join(tmpdir(), "supabase-storage-"));
  readonly #store = new FileStore({ directory: join(this.#folder, "uploads") });
  readonly #tus: TusServer;
  readonly #uploads = new Set<string>();

  private constructor() {
    this.#tus = this.#makeTus();
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        request.socket.destroy();
        if (!request.destroyed) throw error;
      });
    });
  }

  static async start(): Promise<SupabaseStorageService> {
    const service = new SupabaseStorageService();
    service.makeBucket("backups");
    // The store makes its folder some time later.
    while (!existsSync(service.#store.directory)) await sleep(1);
    service.#server.listen(0, "127.0.0.1");
    await once(service.#server, "listening");
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resumable uploads that were begun and neither finished nor ended. */
  get openUploads(): number {
    return this.#uploads.size;
  }

  /** Pieces of chunks that were cut off, which Storage on S3 keeps when their upload is ended. */
  get cutPieces(): number {
    return this.#pieces.size;
  }

  makeBucket(id: string): Bucket {
    const bucket: Bucket = {
      id,
      public: false,
      fileSizeLimit: null,
      allowedMimeTypes: null,
      made: new Date().toISOString(),
    };
    this.buckets.set(id, bucket);
    return bucket;
  }

  /** Stores an object as another program would. */
  put(
    name: string,
    bytes: Buffer,
    bucket = "backups",
    about: Partial<Pick<StoredObject, "type" | "cacheControl" | "metadata">> = {},
  ): void {
    const { type = "text/plain", cacheControl = "no-cache", metadata = null } = about;
    this.objects.set(
      `${bucket}/${name}`,
      this.#object(name, bytes, bytes.length, md5(bytes), type, cacheControl, metadata),
    );
  }

  /** Lets all resumable uploads expire. */
  expireUploads(): void {
    this.#store.expirationPeriodInMilliseconds = 1;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    try {
      const role = this.#authorize(request, pathname);
      if (role === undefined) {
        request.resume();
        const message = request.headers.apikey === undefined ? "No API key found in request" : "Invalid API key";
        answer(response, 401, { message, hint: "Double check your Supabase `anon` or `service_role` API key." });
        return;
      }
      if (pathname === RESUMABLE || pathname.startsWith(`${RESUMABLE}/`)) {
        await this.#resumable(request, response, role);
        return;
      }
      await this.#rest(
        request,
        response,
        pathname.slice(BASE.length).split("/").slice(1).map(decodeURIComponent),
        role,
      );
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      request.resume();
      const { status, code, word, message } = error;
      answer(
        response,
        [416, 500].includes(status) ? status : 400,
        {
          statusCode: String(status),
          ...(this.old ? {} : { code }),
          error: word,
          message,
        },
        word === "Not found" ? { "cache-control": "no-store" } : {},
      );
    }
  }

  /** The role of the key, which must stand in both headers; no role where there is none or a wrong one. */
  #authorize({ headers, method }: IncomingMessage, path: string): string | undefined {
    const known = {
      [this.serviceKey]: "service_role",
      [this.secretKey]: "service_role",
      [this.userKey]: "authenticated",
    };
    const key = String(headers.apikey);
    if (method === "OPTIONS" && path.startsWith(RESUMABLE)) return "anon";
    if (headers.authorization !== `Bearer ${key}`) return undefined;
    return known[key];
  }

  async #rest(
    request: IncomingMessage,
    response: ServerResponse,
    path: readonly string[],
    role: string,
  ): Promise<void> {
    const [kind, ...rest] = path;
    const route = `${request.method ?? ""} ${kind ?? ""}/${["info", "authenticated", "list-v2"].find((word) => word === rest[0]) ?? ""}`;
    const name = (from: number) => rest.slice(from).join("/");
    switch (route) {
      case "GET bucket/":
        answer(
          response,
          200,
          rest[0] === undefined ? [...this.buckets.values()].map(told) : told(this.#bucket(rest[0])),
        );
        return;
      case "POST bucket/":
        answer(response, 200, this.#newBucket(JSON.parse((await buffer(request)).toString()) as Json, role));
        return;
      case "POST object/":
        answer(response, 200, await this.#upload(request, rest[0] ?? "", name(1), role));
        return;
      case "GET object/info": {
        const found = this.#find(rest[1] ?? "", name(2));
        const headers = {
          etag: found.etag,
          ...(found.cacheControl !== null && { "cache-control": found.cacheControl }),
        };
        answer(response, 200, infoOf(found, rest[1] ?? ""), headers);
        return;
      }
      case "GET object/authenticated":
        await this.#download(request, response, this.#readable(rest[1] ?? "", name(2)));
        return;
      case "POST object/list-v2":
        answer(response, 200, this.#list(rest[1] ?? "", JSON.parse((await buffer(request)).toString()) as Json));
        return;
      case "DELETE object/":
        answer(
          response,
          200,
          this.#remove(rest[0] ?? "", JSON.parse((await buffer(request)).toString()) as Json, role),
        );
        return;
      default:
        request.resume();
        answer(response, 404, { statusCode: "404", error: "Not Found", message: `Route ${route} not found` });
    }
  }

  #bucket(id: string | undefined): Bucket {
    const bucket = this.buckets.get(id ?? "");
    if (bucket === undefined) throw refusals.noBucket();
    return bucket;
  }

  #newBucket(
    { name, id = name, public: open = false, file_size_limit: limit, allowed_mime_types: types }: Json,
    role: string,
  ): Json {
    if (role !== "service_role") throw refusals.policy();
    if (typeof id !== "string" || id === "") throw refusals.parameter("body must have required property 'name'");
    if (this.buckets.has(id)) throw refusals.bucketExists();
    Object.assign(this.makeBucket(id), { public: open, fileSizeLimit: limit ?? null, allowedMimeTypes: types ?? null });
    return { name: id };
  }

  #readable(bucket: string, name: string): StoredObject {
    const found = this.#find(bucket, name);
    const place = `${bucket}/${name}`;
    if (this.rowsAlone.has(place)) throw this.backend === "file" ? refusals.fault() : refusals.noContent();
    if (this.unreadable.has(place) || this.unreadable.has("*")) throw refusals.fault();
    this.downloaded.push(place);
    return found;
  }

  #find(bucket: string, name: string): StoredObject {
    this.#bucket(bucket);
    const found = this.objects.get(`${bucket}/${name}`);
    if (found === undefined) throw refusals.noObject();
    return found;
  }

  /** What is looked at before anything is stored. */
  #checkNew(bucketId: string, name: string, role: string, upsert = false): Bucket {
    const bucket = this.#bucket(bucketId);
    if (name === "" || !/^[A-Za-z0-9_/!.*'() &$=@;:+,?-]*$/.test(name)) throw refusals.key(name);
    if (role !== "service_role") throw refusals.policy();
    const place = `${bucketId}/${name}`;
    if (upsert && this.objects.has(place) && !this.rowsAlone.has(place)) {
      throw refusals.parameter("a backup must not overwrite");
    }
    if (!upsert && this.objects.has(place)) throw refusals.exists();
    return bucket;
  }

  async #upload(request: IncomingMessage, bucketId: string, name: string, role: string): Promise<Json> {
    const {
      "content-type": type = "application/octet-stream",
      "cache-control": cache = "no-cache",
      "x-upsert": upsert,
    } = request.headers;
    if (upsert !== "false" && upsert !== "true") throw refusals.parameter("headers/x-upsert must be boolean");
    const bucket = this.#checkNew(bucketId, name, role, upsert === "true");
    checkType(bucket, type);
    const bytes = await buffer(request);
    if (bytes.length > Math.min(this.sizeLimit, bucket.fileSizeLimit ?? Infinity)) throw refusals.tooLarge();
    const encoded = request.headers["x-metadata"];
    const metadata: unknown = typeof encoded === "string" ? JSON.parse(Buffer.from(encoded, "base64").toString()) : {};
    // Another may have been faster while the bytes came.
    this.#checkNew(bucketId, name, role, upsert === "true");
    const kept = this.#altered(bytes);
    const object = this.#show(bucketId, this.#object(name, kept, kept.length, md5(kept), type, cache, metadata));
    return { Key: `${bucketId}/${name}`, Id: object.id };
  }

  /** An object takes the place of its row, whose id and time it keeps. */
  #show(bucket: string, object: StoredObject): StoredObject {
    const place = `${bucket}/${object.name}`;
    const { id, created } = this.objects.get(place) ?? object;
    const shown = { ...object, id, created };
    this.objects.set(place, shown);
    this.rowsAlone.delete(place);
    return shown;
  }

  #altered(bytes: Buffer): Buffer {
    const { lie } = this;
    if (lie === undefined || bytes.length === 0) return bytes;
    this.lie = undefined;
    if (lie === "shorter") return bytes.subarray(0, -1);
    if (lie === "longer") return Buffer.concat([bytes, Buffer.from("x")]);
    const other = Buffer.from(bytes);
    other[bytes.length >> 1] = 255 - (bytes[bytes.length >> 1] ?? 0);
    return other;
  }

  #object(
    name: string,
    content: Buffer | string,
    size: number,
    tag: string,
    type: string | null,
    cacheControl: string | null,
    metadata: unknown,
  ): StoredObject {
    const id = randomUUID();
    const moment = new Date().toISOString();
    const etag = `"${this.etags === "md5" ? tag : md5(Buffer.from(id)) + tag.slice(32)}"`;
    return { id, name, size, etag, type, cacheControl, metadata, created: moment, moment, content };
  }

  async #download(request: IncomingMessage, response: ServerResponse, object: StoredObject): Promise<void> {
    const { range } = request.headers;
    const [, first = "0", last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
    const start = Number(first);
    if (range !== undefined && start >= object.size) {
      throw this.backend === "file" ? refusals.range() : refusals.fault();
    }
    const end = last ? Math.min(Number(last), object.size - 1) : object.size - 1;
    response.writeHead(range === undefined ? 200 : 206, {
      "content-type": object.type ?? "application/octet-stream",
      "cache-control": object.cacheControl ?? "no-cache",
      "accept-ranges": "bytes",
      "content-length": end - start + 1,
      etag: object.etag,
      ...(range === undefined ? {} : { "content-range": `bytes ${start}-${end}/${object.size}` }),
    });
    if (typeof object.content === "string") {
      // A reader who goes away is no fault.
      await pipeline(createReadStream(object.content, { start, end }), response).catch(() => undefined);
    } else response.end(object.content.subarray(start, end + 1));
  }

  #list(bucket: string, { prefix = "", limit = 1000, cursor, with_delimiter: delimited }: Json): Json {
    if (!(Number(limit) >= 1)) throw refusals.parameter("body/limit must be >= 1");
    if (delimited === true) throw refusals.parameter("folders are not what backups ask for");
    // The service puts the prefix into a LIKE as it is.
    const pattern = String(prefix).replaceAll(/[$()*+.?[\\\]^{|}]/g, "\\$&");
    const like = new RegExp(`^${pattern.replaceAll("_", ".").replaceAll("%", ".*")}`, "s");
    const after = Buffer.from((cursor ?? "") as string, "base64").toString();
    const names = [...this.objects.keys()]
      .filter((name) => name.startsWith(`${bucket}/`))
      .map((name) => name.slice(bucket.length + 1))
      .filter((name) => like.test(name))
      .sort()
      .filter((name) => name > after);
    const most = Math.min(Number(limit), 1000, this.pageSize);
    const page = names.slice(0, most);
    const hasNext = names.length > page.length;
    const objects = page.map((name) => {
      const object = this.#find(bucket, name);
      const { id, created, moment } = object;
      return {
        name,
        id,
        metadata: factsOf(object),
        updated_at: moment,
        created_at: created,
        last_accessed_at: created,
      };
    });
    const nextCursor = Buffer.from(page.at(-1) ?? "").toString("base64");
    return { hasNext, folders: [], objects, ...(hasNext ? { nextCursor, nextCursorKey: page.at(-1) } : {}) };
  }

  #remove(bucket: string, { prefixes }: Json, role: string): Json[] {
    const names = prefixes as string[];
    if (names.length === 0) throw refusals.parameter("body/prefixes must NOT have fewer than 1 items");
    if (names.length > 1000) throw refusals.parameter("body/prefixes must NOT have more than 1000 items");
    return names.flatMap((name) => {
      const found = this.objects.get(`${bucket}/${name}`);
      // What policies do not allow is not removed, and not told either.
      if (found === undefined || role !== "service_role" || this.kept.has(name)) return [];
      this.objects.delete(`${bucket}/${name}`);
      if (typeof found.content === "string") rmSync(found.content, { force: true });
      const { id, created, moment, metadata: user_metadata } = found;
      const times = { updated_at: moment, created_at: created, last_accessed_at: created };
      const owners = { owner: "", owner_id: "" };
      return [
        { id, name, bucket_id: bucket, version: id, ...owners, ...times, metadata: factsOf(found), user_metadata },
      ];
    });
  }

  async #resumable(request: IncomingMessage, response: ServerResponse, role: string): Promise<void> {
    this.#roles.set(request, role);
    if (request.method === "PATCH") {
      const { "content-length": length, "upload-offset": offset, "upload-length": last } = request.headers;
      const end = Number(offset) + Number(length);
      if (
        Number(length) > CHUNK ||
        (last === undefined &&
          Number(offset) % CHUNK === 0 &&
          end % CHUNK !== 0 &&
          Number(length) > 0 &&
          !this.#declared.has(request.url ?? ""))
      ) {
        request.resume();
        response.writeHead(400).end(`a chunk must have ${CHUNK} bytes\n`);
        return;
      }
      if (last !== undefined) this.#declared.add(request.url ?? "");
    }
    await this.#tus.handle(request, response);
    if (request.method === "PATCH" && this.backend === "s3")
      await this.#keepPiece(request.url?.split("/").at(-1) ?? "");
  }

  /** What is too small for a part of S3 becomes an object of its own, until more comes or the upload is finished. */
  async #keepPiece(address: string): Promise<void> {
    const id = Buffer.from(address, "base64url").toString();
    const upload = await this.#store.getUpload(id).catch(() => undefined);
    if (upload === undefined) return;
    const piece = upload.offset - (this.#parts.get(id) ?? 0);
    const isPart = piece >= SMALLEST_PART || upload.offset === upload.size;
    if (isPart) this.#parts.set(id, upload.offset);
    if (isPart || piece === 0) this.#pieces.delete(id);
    else this.#pieces.add(id);
  }

  /** Of uploads, the bytes that are in parts. */
  readonly #parts = new Map<string, number>();

  /** Uploads with bytes that are in no part. */
  readonly #pieces = new Set<string>();

  /** The roles of requests under way. */
  readonly #roles = new WeakMap<IncomingMessage, string>();

  /** Addresses of uploads whose length is known. */
  readonly #declared = new Set<string>();

  #makeTus(): TusServer {
    const partsOf = (id: string): [bucket: string, name: string] => {
      const [bucket = "", ...rest] = id.split("/");
      return [bucket, rest.slice(0, -1).join("/")];
    };
    /** The protocol's answers bear the true status, and only a text. */
    const told = <Result>(work: () => Result): Result => {
      try {
        return work();
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- what the server takes
        throw { status_code: error.status, body: error.message };
      }
    };
    const server = new TusServer({
      path: RESUMABLE,
      datastore: this.#store,
      disableTerminationForFinishedUploads: true,
      maxSize: (_request, id) =>
        Math.min(this.sizeLimit, (id === null ? null : this.buckets.get(partsOf(id)[0])?.fileSizeLimit) ?? Infinity),
      namingFunction: (_request, metadata) =>
        `${metadata?.bucketName ?? ""}/${metadata?.objectName ?? ""}/${randomUUID()}`,
      // As behind a gateway that does not tell its own name: a client that follows it goes astray.
      generateUrl: (_request, { path, id }) =>
        `http://storage.internal:5000${path}/${Buffer.from(id).toString("base64url")}`,
      getFileIdFromRequest: (_request, last) =>
        last === undefined ? undefined : Buffer.from(last, "base64url").toString(),
      onIncomingRequest: ({ method, runtime }, id) => {
        const node = runtime?.node?.req as IncomingMessage | undefined;
        const role = node === undefined ? "" : (this.#roles.get(node) ?? "");
        const upsert = node?.headers["x-upsert"] === "true";
        // Ending an upload is refused as beginning it would be.
        if (method === "DELETE" && !upsert && this.objects.has(partsOf(id).join("/"))) {
          told(() => {
            throw refusals.exists();
          });
        }
        if (method === "POST" || method === "PATCH") told(() => this.#checkNew(...partsOf(id), role, upsert));
        return Promise.resolve();
      },
      onUploadCreate: (_request, upload) => {
        const { metadata = {} } = upload;
        told(() => {
          checkType(this.#bucket(partsOf(upload.id)[0]), metadata.contentType ?? "");
        });
        this.#uploads.add(upload.id);
        // As the service's own hook: what is no number is lost.
        const seconds = metadata.cacheControl ?? "";
        const cacheControl = /^-?\d+$/.test(seconds) ? `max-age=${seconds}` : "no-cache";
        return Promise.resolve({ metadata: { ...metadata, cacheControl } });
      },
      onUploadFinish: async ({ runtime }, upload) => {
        const node = runtime?.node?.req as IncomingMessage | undefined;
        await this.#finish(upload, ...partsOf(upload.id), node?.headers["x-upsert"] === "true", told);
        return { headers: { "Tus-Complete": "1" } };
      },
    });
    server.on(EVENTS.POST_TERMINATE, (_request, _response, id) => {
      this.#uploads.delete(id);
    });
    return server;
  }

  async #finish(
    upload: Upload,
    bucket: string,
    name: string,
    upsert: boolean,
    told: <Result>(work: () => Result) => Result,
  ): Promise<void> {
    if (this.failsToFinish) {
      this.failsToFinish = false;
      throw new Error("the parts could not be put together");
    }
    const path = upload.storage?.path ?? "";
    const { lie } = this;
    let { size = 0 } = upload;
    if (lie === "shorter") await truncate(path, (size -= 1));
    else if (lie !== undefined) {
      const kept = this.#altered(await readFile(path));
      size = kept.length;
      await writeFile(path, kept);
    }
    this.lie = undefined;
    told(() => this.#checkNew(bucket, name, "service_role", upsert));
    const { contentType = "", cacheControl = "", metadata } = upload.metadata ?? {};
    const own: unknown = typeof metadata === "string" ? JSON.parse(metadata) : null;
    const etag =
      this.backend === "file" ? md5(await readFile(path)) : `${md5(await chunkSums(path))}-${Math.ceil(size / CHUNK)}`;
    this.#show(bucket, this.#object(name, path, size, etag, contentType ?? "", cacheControl ?? "", own));
    this.#uploads.delete(upload.id);
  }
}

/** What the row of an object says of its content. */
function factsOf({ etag, size, type, cacheControl, moment }: StoredObject): Json {
  const metadata = { eTag: etag, size, mimetype: type, cacheControl, lastModified: moment };
  return { ...metadata, contentLength: size, httpStatusCode: 200 };
}

function told({
  id,
  public: open,
  fileSizeLimit: file_size_limit,
  allowedMimeTypes: allowed_mime_types,
  made,
}: Bucket): Json {
  const times = { created_at: made, updated_at: made };
  return { id, name: id, public: open, file_size_limit, allowed_mime_types, owner: "", ...times };
}

function checkType(bucket: Bucket, type: string): void {
  const allowed = bucket.allowedMimeTypes;
  const family = `${type.split("/")[0] ?? ""}/*`;
  if (allowed !== null && !allowed.includes(type) && !allowed.includes(family)) throw refusals.type(type);
}

function infoOf(
  { id, name, size, etag, type, cacheControl, metadata, created, moment }: StoredObject,
  bucket: string,
): Json {
  return {
    id,
    name,
    version: id,
    bucket_id: bucket,
    size,
    content_type: type,
    cache_control: cacheControl,
    etag,
    metadata,
    last_modified: moment,
    created_at: created,
  };
}

function answer(response: ServerResponse, status: number, body: unknown, more: OutgoingHttpHeaders = {}): void {
  const text = Buffer.from(JSON.stringify(body));
  const type = "application/json; charset=utf-8";
  const headers = { "content-type": type, "content-length": text.length, "sb-request-id": randomUUID(), ...more };
  response.writeHead(status, headers).end(text);
}

/** The MD5s of the chunks of a file, one after the other. */
async function chunkSums(path: string): Promise<Buffer> {
  const sums: Buffer[] = [];
  const pieces = createReadStream(path, { highWaterMark: CHUNK }) as AsyncIterable<Buffer>;
  for await (const piece of pieces) sums.push(createHash("md5").update(piece).digest());
  return Buffer.concat(sums);
}

function md5(bytes: Buffer): string {
  return createHash("md5").update(bytes).digest("hex");
}
