import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, request as send } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import type { Versitygw } from "./versitygw.ts";
import { registerSecret } from "./known-secrets.ts";

const PATH = "/storage/v1/s3";

/** Headers of a request that the service does not read: it does not refuse to overwrite. */
const UNREAD = /^if-none-match$/;

/** A request's parts that are signed. */
interface Signed {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The names of the headers that are signed. */
  readonly names: readonly string[];
}

/**
 * The S3 protocol of a Supabase project, in front of another S3 service: under a path of its own, with a strict check of the
 * signature, and with what the real one does differently.
 */
export class SupabaseS3 {
  readonly accessKeyId = "d6f3a1b2c4e5f60718293a4b5c6d7e8f";
  readonly secretAccessKey = registerSecret("the Supabase S3 secret key", "5up4base-s3-secret/of+a+project=");
  readonly region = "eu-central-1";
  /** What tags are: MD5, or something that only looks like it, as where the service behind encrypts. */
  etags: "md5" | "encrypted" = "md5";
  readonly #behind: Versitygw;
  readonly #server: Server;

  private constructor(behind: Versitygw) {
    this.#behind = behind;
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch(() => {
        request.socket.destroy();
      });
    });
  }

  static async start(behind: Versitygw): Promise<SupabaseS3> {
    const service = new SupabaseS3(behind);
    service.#server.listen(0, "127.0.0.1");
    await once(service.#server, "listening");
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = "", query = ""] = (request.url ?? "").split("?");
    if (!path.startsWith(`${PATH}/`)) {
      refuse(response, 404, "NotFound", "Route not found");
      return;
    }
    const problem = this.#objectionTo(request, path, query);
    if (problem !== undefined) {
      request.resume();
      refuse(response, ...problem);
      return;
    }
    const [, bucket = "", ...rest] = path.slice(PATH.length).split("/");
    if (!/^[A-Za-z0-9_/!.*'() &$=@;:+,?-]*$/.test(decodeURIComponent(rest.join("/")))) {
      request.resume();
      refuse(response, 400, "InvalidKey", "Invalid key");
      return;
    }
    // What becomes of them behind the real service is not sure: nobody should send any.
    const checksums = Object.keys(request.headers).some((name) => /^x-amz-checksum-(algorithm|crc32)$/.test(name));
    if (checksums && !/^delete(=|$)/.test(query)) {
      request.resume();
      refuse(response, 501, "NotImplemented", "There are no checksums.");
      return;
    }
    const removes = /^delete(=|$)/.test(query);
    const completes = request.method === "POST" && query.includes("uploadId=");
    let body = removes || completes ? await buffer(request) : undefined;
    const missing = body !== undefined && removes ? await this.#missing(bucket, body.toString()) : [];
    if (body !== undefined && completes) {
      body = Buffer.from(body.toString().replaceAll(/[0-9a-f]{32}/g, (tag) => this.#disguised(tag)));
      request.headers["content-length"] = String(body.length);
      request.headers["x-amz-content-sha256"] = createHash("sha256").update(body).digest("hex");
    }
    const onward = send({ ...this.#onward(request, path.slice(PATH.length), query) });
    onward.on("error", () => request.socket.destroy());
    response.on("close", () => {
      if (!response.writableFinished) onward.destroy();
    });
    if (body === undefined) request.pipe(onward);
    else onward.end(body);
    const [answer] = (await once(onward, "response")) as [IncomingMessage];
    // It keeps no checksums.
    const headers = Object.fromEntries(
      Object.entries(plain(answer.headers)).filter(([name]) => !name.startsWith("x-amz-checksum-")),
    );
    if (headers.etag !== undefined) headers.etag = headers.etag.replace(/[0-9a-f]{32}/, (tag) => this.#disguised(tag));
    if (missing.length === 0) {
      const ends = request.method === "DELETE" && query.includes("uploadId=");
      response.writeHead(ends && answer.statusCode === 204 ? 200 : (answer.statusCode ?? 502), headers);
      answer.on("error", () => response.destroy()).pipe(response);
      return;
    }
    // Of an object that does not exist an older service says that its removal is not permitted.
    const errors = missing.map(
      (key) =>
        `<Error><Key>${key}</Key><Code>AccessDenied</Code>` +
        "<Message>You do not have permission to delete this object or the object doesn't exist</Message></Error>",
    );
    const removed = /<Deleted>.*<\/Deleted>/s.exec((await buffer(answer)).toString())?.[0] ?? "";
    const told = removed.replaceAll(/<Deleted>.*?<Key>([^<]*)<\/Key>.*?<\/Deleted>/gs, (entry, key: string) =>
      missing.includes(key) ? "" : entry,
    );
    response.writeHead(200, { "content-type": "application/xml" });
    response.end(`<DeleteResult>${told}${errors.join("")}</DeleteResult>`);
  }

  /** A tag as it is shown, or the other way round. */
  #disguised(tag: string): string {
    return this.etags === "md5" ? tag : Buffer.from(tag, "hex").reverse().toString("hex");
  }

  async #missing(bucket: string, body: string): Promise<string[]> {
    const keys = [...body.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = ""]) => key);
    const found = await Promise.all(
      keys.map((Key) =>
        this.#behind.client.headObject({ Bucket: bucket, Key }).then(
          () => true,
          () => false,
        ),
      ),
    );
    return keys.filter((_key, index) => found[index] !== true);
  }

  /** Why the request's signature is not accepted. */
  #objectionTo(request: IncomingMessage, path: string, query: string): [number, string, string] | undefined {
    const { authorization = "" } = request.headers;
    const match =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/\d{8}\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)$/;
    const [, id, region, names = "", signature] = match.exec(authorization) ?? [];
    if (id !== this.accessKeyId) {
      return [403, "AccessDenied", "Invalid Access Key"];
    }
    const parts = {
      method: request.method ?? "",
      path,
      query,
      headers: plain(request.headers),
      names: names.split(";"),
    };
    const expected = signatureOf(parts, this.region, this.secretAccessKey);
    if (region === this.region && signature === expected) return undefined;
    return [
      403,
      "SignatureDoesNotMatch",
      "The request signature we calculated does not match the signature you provided.",
    ];
  }

  /** The same request for the service behind, signed with its own key. */
  #onward(request: IncomingMessage, path: string, query: string) {
    const { hostname, port, host } = new URL(this.#behind.url);
    const kept = Object.entries(plain(request.headers)).filter(
      ([name]) => !UNREAD.test(name) && name !== "authorization",
    );
    const headers: Record<string, string> = { ...Object.fromEntries(kept), host };
    const names = Object.keys(headers)
      .filter((name) => name === "host" || name.startsWith("x-amz-"))
      .sort();
    const method = request.method ?? "";
    const signature = signatureOf({ method, path, query, headers, names }, "us-east-1", this.#behind.secretAccessKey);
    const scope = `${this.#behind.accessKeyId}/${headers["x-amz-date"]?.slice(0, 8) ?? ""}/us-east-1/s3/aws4_request`;
    headers.authorization = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
    return {
      hostname,
      port,
      method,
      path: query === "" ? path : `${path}?${query}`,
      headers: headers as OutgoingHttpHeaders,
    };
  }
}

/** The signature of a request (AWS Signature Version 4). */
export function signatureOf({ method, path, query, headers, names }: Signed, region: string, secret: string): string {
  const pairs = query === "" ? [] : query.split("&").map((pair) => (pair.includes("=") ? pair : `${pair}=`));
  const lines = names.map((name) => `${name}:${(headers[name] ?? "").trim()}\n`);
  const canonical = [
    method,
    path,
    pairs.sort().join("&"),
    lines.join(""),
    names.join(";"),
    headers["x-amz-content-sha256"],
  ];
  const date = headers["x-amz-date"] ?? "";
  const day = date.slice(0, 8);
  const hash = createHash("sha256").update(canonical.join("\n")).digest("hex");
  const text = ["AWS4-HMAC-SHA256", date, `${day}/${region}/s3/aws4_request`, hash].join("\n");
  const key = [day, region, "s3", "aws4_request"].reduce<string | Buffer>(
    (from, part) => createHmac("sha256", from).update(part).digest(),
    `AWS4${secret}`,
  );
  return createHmac("sha256", key).update(text).digest("hex");
}

function plain(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { "content-type": "application/xml" });
  response.end(`<Error><Code>${code}</Code><Message>${message}</Message></Error>`);
}
