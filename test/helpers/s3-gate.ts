import { once } from "node:events";
import { createServer, request as send, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { ACCOUNT, isAllowed } from "./iam.ts";

/** The right that a request needs. */
interface Right {
  readonly action: string;
  readonly resource: string;
  readonly context?: Readonly<Record<string, string>>;
}

/** An S3 service behind the policy of a role. */
export interface S3Gate {
  /** For instance `http://127.0.0.1:40124`. */
  readonly url: string;
  /** What was refused, in order: the action, and the key. */
  readonly refused: { readonly action: string; readonly key: string }[];
  stop(): Promise<void>;
}

/**
 * Starts a proxy before an S3 service that knows no policies: it lets pass what the IAM simulator allows to a role, and answers everything
 * else as S3 does.
 */
export async function startS3Gate(service: string, policy: unknown): Promise<S3Gate> {
  const refused: S3Gate["refused"] = [];
  const may = (right: Right) => isAllowed({ principal: `arn:aws:iam::${ACCOUNT}:role/task`, policy, ...right });
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request);
    const rights = rightsOf(request, body.toString("latin1"));
    const denied: Right[] = [];
    for (const right of rights) if (!(await may(right))) denied.push(right);
    refused.push(...denied.map(({ action, resource }) => ({ action, key: keyOf(resource) })));
    if (denied.length > 0) {
      refuse(response, request.url?.includes("?delete") === true ? denied.map(({ resource }) => keyOf(resource)) : []);
      return;
    }
    const answer = await forward(service, request, body);
    const headers = { ...answer.headers };
    for (const { action, resource } of rights) {
      if (action !== "s3:GetObject") continue;
      // Without the right to list the bucket, nobody learns that an object is not there.
      if (answer.statusCode === 404 && !(await may({ action: "s3:ListBucket", resource: bucketOf(resource) }))) {
        answer.resume();
        refuse(response, []);
        return;
      }
      if (await may({ action: "s3:GetObjectRetention", resource })) continue;
      delete headers["x-amz-object-lock-retain-until-date"];
      delete headers["x-amz-object-lock-mode"];
    }
    response.writeHead(answer.statusCode ?? 502, headers);
    answer.pipe(response);
  };
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refused,
    async stop() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const keyOf = (resource: string) => resource.split("/").slice(1).join("/");
const bucketOf = (resource: string) => resource.split("/")[0] ?? "";

/** The rights that AWS asks for, as its reference says: of a removal of many, one for each. */
function rightsOf({ method = "", url = "", headers }: IncomingMessage, body: string): Right[] {
  const { pathname, searchParams: query } = new URL(url, "http://s3");
  const [bucket = "", ...segments] = pathname.slice(1).split("/").map(decodeURIComponent);
  const resource = `arn:aws:s3:::${bucket}`;
  const key = segments.join("/");
  if (key === "") {
    const prefix = query.get("prefix");
    const context = prefix === null ? {} : { "s3:prefix": prefix };
    if (method === "GET" && query.has("versions")) return [{ action: "s3:ListBucketVersions", resource, context }];
    if (method === "GET" && query.has("list-type")) return [{ action: "s3:ListBucket", resource, context }];
    if (method === "GET" && query.has("object-lock")) {
      return [{ action: "s3:GetBucketObjectLockConfiguration", resource }];
    }
    if (method === "POST" && query.has("delete")) {
      return [...body.matchAll(/<Key>(.*?)<\/Key>(<VersionId>)?/g)].map(([, name = "", version]) => ({
        action: version === undefined ? "s3:DeleteObject" : "s3:DeleteObjectVersion",
        resource: `${resource}/${name}`,
      }));
    }
    throw new Error(`no right is known for ${method} ${url}`);
  }
  const object = `${resource}/${key}`;
  const creates = (is: boolean): Right => ({
    action: "s3:PutObject",
    resource: object,
    context: {
      "s3:ObjectCreationOperation": String(is),
      ...(headers["if-none-match"] !== undefined && { "s3:if-none-match": headers["if-none-match"] }),
    },
  });
  switch (method) {
    case "HEAD":
    case "GET":
      return [{ action: query.has("retention") ? "s3:GetObjectRetention" : "s3:GetObject", resource: object }];
    case "PUT":
      if (query.has("legal-hold")) return [{ action: "s3:PutObjectLegalHold", resource: object }];
      return [creates(!query.has("partNumber"))];
    case "POST":
      return [creates(!query.has("uploads"))];
    case "DELETE":
      if (query.has("uploadId")) return [{ action: "s3:AbortMultipartUpload", resource: object }];
      return [{ action: query.has("versionId") ? "s3:DeleteObjectVersion" : "s3:DeleteObject", resource: object }];
    default:
      throw new Error(`no right is known for ${method} ${url}`);
  }
}

/** @param keys of a removal of many, which S3 answers with 200 even then */
function refuse(response: ServerResponse, keys: readonly string[]): void {
  const why = "<Code>AccessDenied</Code><Message>Access Denied</Message>";
  const errors = keys.map((key) => `<Error><Key>${key}</Key>${why}</Error>`).join("");
  const many = keys.length > 0;
  response.writeHead(many ? 200 : 403, { "content-type": "application/xml" });
  response.end(many ? `<DeleteResult>${errors}</DeleteResult>` : `<Error>${why}</Error>`);
}

async function forward(service: string, { method, url, headers }: IncomingMessage, body: Buffer) {
  const { hostname, port } = new URL(service);
  // The host name too: it is part of what is signed.
  const onward = send({ host: hostname, port, method, path: url, headers });
  onward.end(body);
  const [answer] = (await once(onward, "response")) as [IncomingMessage];
  return answer;
}
