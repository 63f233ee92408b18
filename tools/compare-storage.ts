/**
 * Asks a Storage of Supabase and our imitation of it the same, and prints what differs:
 *
 *     KEY=… S3_ID=… S3_SECRET=… npm run compare:storage -- --url https://<ref>.supabase.co/storage/v1 --key KEY \
 *       [--s3-id S3_ID --s3-secret S3_SECRET --region eu-central-1] [--lost bucket/path] [--backend file]
 *
 * `--url` is where Storage itself answers: of a server without a gateway, without `/storage/v1`. `--region` is the server's
 * `STORAGE_S3_REGION`, else its `REGION`: by another one, but for `us-east-1` and `auto`, no signature matches. The tool makes two
 * buckets, and removes them again. `--lost` is a file whose content was removed behind Storage's back. Ends with 1 where anything
 * differs that {@link INTENDED} does not explain.
 */
import { createHash, randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { SupabaseS3, signatureOf } from "./services/supabase-s3.ts";
import { SupabaseStorageService } from "./services/supabase-storage.ts";
import { startVersitygw } from "./services/versitygw.ts";

/** Differences that are meant, by step and field. Any other is a defect of the imitation. */
const INTENDED: readonly { readonly step: RegExp; readonly field: RegExp; readonly why: string }[] = [
  { step: /a request with/, field: /./, why: "a gateway answers before Storage, as in front of every project" },
  { step: /begin/, field: /^location$/, why: "the upload's id is random" },
  { step: /list a page/, field: /nextCursor$/, why: "what a cursor holds is Storage's own affair" },
  {
    step: /s3: remove one/,
    field: /Code$/,
    why: "older servers refuse to remove what is not there, which is harder for us",
  },
  { step: /s3: list uploads/, field: /KeyCount$/, why: "nobody reads it" },
  {
    step: /s3: send a part/,
    field: /^etag$/,
    why: "on disk Storage leaves out the quotes; only what it gave is sent back",
  },
  { step: /s3: put what exists/, field: /./, why: "Storage reads no If-None-Match, and neither do we send any" },
];

/** What of answers by the S3 protocol matters: the imitation has another S3 service behind it, which words them itself. */
const OF_S3 = /^(status|etag|content-range|body|body\.(Code|Key|KeyCount|IsTruncated|Size))$/;

const MiB = 1024 * 1024;
const HEADERS =
  /^(content-(type|range|length)|etag|cache-control|accept-ranges|location|tus-(resumable|version|extension|complete)|upload-(offset|length|defer-length|metadata))$/;

/** A Storage that is asked. */
interface Side {
  readonly base: string;
  readonly key: string;
  readonly s3: { base: string; id: string; secret: string; region: string } | undefined;
  /** What a step leaves for later ones. */
  readonly kept: Map<string, string>;
}

interface Ask {
  readonly method: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  /** The bearer's token; undefined for the service's key. */
  readonly key?: string;
}

/** An answer: field by field. */
type Facts = Readonly<Record<string, string>>;
type Step = readonly [name: string, ask: (side: Side) => Ask];

const { values: options } = parseArgs({
  options: {
    url: { type: "string" },
    key: { type: "string" },
    "s3-id": { type: "string" },
    "s3-secret": { type: "string" },
    region: { type: "string", default: "us-east-1" },
    lost: { type: "string" },
    backend: { type: "string", default: "s3" },
  },
});
const secret = (name: string | undefined): string => {
  const value = name === undefined ? undefined : process.env[name];
  if (value === undefined)
    throw new Error(`Set the variable ${name ?? "that --key names"}; see the head of this file.`);
  return value;
};
const id = randomBytes(4).toString("hex");
const [bucket, limited] = [`provision-compare-${id}`, `provision-compare-${id}-limited`];

const json = (method: string, path: string, body: unknown): Ask => ({
  method,
  path,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});
const put = (path: string, body: string, headers: Record<string, string> = {}): Ask => ({
  method: "POST",
  path: `/object/${path}`,
  headers: { "content-type": "text/plain", "x-upsert": "false", ...headers },
  body,
});
const get = (path: string, headers: Record<string, string> = {}): Ask => ({ method: "GET", path, headers });
const list = (body: object, of = bucket): Ask => json("POST", `/object/list-v2/${of}`, body);

const tus = { "tus-resumable": "1.0.0" };
const begin = (name: string, of = bucket, type = "text/plain"): Ask => {
  const pairs = { bucketName: of, objectName: name, contentType: type, cacheControl: "60", metadata: '{"a":1}' };
  const text = Object.entries(pairs).map(([field, value]) => `${field} ${Buffer.from(value).toString("base64")}`);
  const headers = { ...tus, "upload-defer-length": "1", "upload-metadata": text.join(","), "x-upsert": "false" };
  return { method: "POST", path: "/upload/resumable", headers };
};
const upload = (side: Side, method: string, headers: Record<string, string> = {}, body?: Buffer): Ask => {
  const patch = method === "PATCH" ? { "content-type": "application/offset+octet-stream" } : {};
  const path = `/upload/resumable/${side.kept.get("location")?.split("/").at(-1) ?? ""}`;
  return { method, path, headers: { ...tus, ...patch, ...headers }, ...(body && { body }) };
};

const about = { "cache-control": "public, max-age=7", "x-metadata": Buffer.from('{"a":1}').toString("base64") };
const rest: Step[] = [
  ["a request without a key", () => ({ ...get("/bucket"), key: "" })],
  ["a request with a wrong key", () => ({ ...get("/bucket"), key: "wrong" })],
  ["make a bucket", () => json("POST", "/bucket", { name: bucket, public: false })],
  [
    "make a bucket with limits",
    () => json("POST", "/bucket", { name: limited, public: true, file_size_limit: 10, allowed_mime_types: ["text/*"] }),
  ],
  ["make a bucket that exists", () => json("POST", "/bucket", { name: bucket })],
  ["a bucket", () => get(`/bucket/${limited}`)],
  ["a bucket that is not there", () => get("/bucket/provision-none")],
  ["upload", () => put(`${bucket}/a/b.txt`, "hello", about)],
  ["upload without attributes", () => put(`${bucket}/a/plain`, "hello")],
  ["upload what exists", () => put(`${bucket}/a/b.txt`, "hello")],
  ["upload nothing", () => put(`${bucket}/a/empty`, "")],
  ["upload into no bucket", () => put("provision-none/a", "hello")],
  ["upload a name that is not taken", () => put(`${bucket}/a%23b`, "hello")],
  ["upload a type that is not taken", () => put(`${limited}/a`, "hello", { "content-type": "image/png" })],
  ["upload what is too large", () => put(`${limited}/a`, "hello hello hello")],
  ["download", () => get(`/object/authenticated/${bucket}/a/b.txt`)],
  ["download from an offset", () => get(`/object/authenticated/${bucket}/a/b.txt`, { range: "bytes=2-" })],
  ["download two bytes", () => get(`/object/authenticated/${bucket}/a/b.txt`, { range: "bytes=0-1" })],
  ["download from beyond the end", () => get(`/object/authenticated/${bucket}/a/b.txt`, { range: "bytes=9-" })],
  ["download what is not there", () => get(`/object/authenticated/${bucket}/none`)],
  ["download from no bucket", () => get("/object/authenticated/provision-none/a")],
  ["facts", () => get(`/object/info/${bucket}/a/b.txt`)],
  ["facts of a file without attributes", () => get(`/object/info/${bucket}/a/plain`)],
  ["facts of what is not there", () => get(`/object/info/${bucket}/none`)],
  ["facts in no bucket", () => get("/object/info/provision-none/a")],
  ["list", () => list({ prefix: "", limit: 1000, with_delimiter: false })],
  ["list a page", () => list({ prefix: "a/", limit: 1, with_delimiter: false })],
  ["list no objects", () => list({ limit: 0, with_delimiter: false })],
  ["list no bucket", () => list({ limit: 10, with_delimiter: false }, "provision-none")],
  ["what resumable uploads take", () => ({ method: "OPTIONS", path: "/upload/resumable", headers: tus })],
  ["begin an upload", () => begin("large")],
  ["look at an upload", (side) => upload(side, "HEAD")],
  ["send a chunk", (side) => upload(side, "PATCH", { "upload-offset": "0" }, Buffer.alloc(6 * MiB))],
  ["send a chunk to a wrong offset", (side) => upload(side, "PATCH", { "upload-offset": "5" }, Buffer.alloc(6 * MiB))],
  [
    "send the last chunk",
    (side) =>
      upload(
        side,
        "PATCH",
        { "upload-offset": String(6 * MiB), "upload-length": String(6 * MiB + 3) },
        Buffer.from("end"),
      ),
  ],
  ["look at an upload that is done", (side) => upload(side, "HEAD")],
  ["end an upload that is done", (side) => upload(side, "DELETE")],
  ["end an upload that is done, by force", (side) => upload(side, "DELETE", { "x-upsert": "true" })],
  ["facts of an upload", () => get(`/object/info/${bucket}/large`)],
  ["begin an upload of what exists", () => begin("large")],
  ["begin an upload that is overtaken", () => begin("overtaken")],
  ["overtake it", () => put(`${bucket}/overtaken`, "hello")],
  ["end an upload that was overtaken", (side) => upload(side, "DELETE")],
  ["end an upload that was overtaken, by force", (side) => upload(side, "DELETE", { "x-upsert": "true" })],
  ["begin an upload into no bucket", () => begin("a", "provision-none")],
  ["begin an upload of a name that is not taken", () => begin("a#b")],
  ["begin an upload of a type that is not taken", () => begin("a", limited, "image/png")],
  ["begin another upload", () => begin("other")],
  ["end an upload", (side) => upload(side, "DELETE")],
  ["look at an upload that was ended", (side) => upload(side, "HEAD")],
  ["end an upload that was ended", (side) => upload(side, "DELETE")],
  ["end an upload that was ended, by force", (side) => upload(side, "DELETE", { "x-upsert": "true" })],
  [
    "send to an upload that was ended",
    (side) => upload(side, "PATCH", { "upload-offset": "0" }, Buffer.alloc(6 * MiB)),
  ],
  ["remove", () => json("DELETE", `/object/${bucket}`, { prefixes: ["a/b.txt", "none"] })],
  ["remove nothing", () => json("DELETE", `/object/${bucket}`, { prefixes: [] })],
];

const key = `/${bucket}/s3/a%20b.txt`;
const s3: Step[] = [
  ["put", () => ({ method: "PUT", path: key, body: "hello", headers: { "content-type": "text/plain" } })],
  [
    "put what exists, unless it does",
    () => ({ method: "PUT", path: key, body: "hello", headers: { "if-none-match": "*" } }),
  ],
  ["get", () => get(key)],
  ["get from an offset", () => get(key, { range: "bytes=2-" })],
  ["get what is not there", () => get(`/${bucket}/none`)],
  ["head", () => ({ method: "HEAD", path: key })],
  ["head what is not there", () => ({ method: "HEAD", path: `/${bucket}/none` })],
  ["put into no bucket", () => ({ method: "PUT", path: "/provision-none/a", body: "hello" })],
  ["put a name that is not taken", () => ({ method: "PUT", path: `/${bucket}/a%23b`, body: "hello" })],
  ["list", () => get(`/${bucket}?list-type=2&max-keys=1&prefix=s3%2F`)],
  ["list no bucket", () => get("/provision-none?list-type=2")],
  ["begin an upload", () => ({ method: "POST", path: `/${bucket}/parts?uploads=` })],
  [
    "send a part",
    ({ kept }) => ({
      method: "PUT",
      path: `/${bucket}/parts?partNumber=1&uploadId=${kept.get("UploadId") ?? ""}`,
      body: Buffer.alloc(5 * MiB),
    }),
  ],
  ["list uploads", () => get(`/${bucket}?prefix=parts&uploads=`)],
  [
    "end an upload",
    ({ kept }) => ({ method: "DELETE", path: `/${bucket}/parts?uploadId=${kept.get("UploadId") ?? ""}` }),
  ],
  [
    "end it again",
    ({ kept }) => ({ method: "DELETE", path: `/${bucket}/parts?uploadId=${kept.get("UploadId") ?? ""}` }),
  ],
  [
    "remove one and what is not there",
    () => ({
      method: "POST",
      path: `/${bucket}?delete=`,
      body: "<Delete><Object><Key>s3/a b.txt</Key></Object><Object><Key>none</Key></Object></Delete>",
      headers: { "content-type": "application/xml" },
    }),
  ],
  ["a wrong key", () => ({ ...get(key), key: "wrong" })],
];

/** Times, ids and names of this run, which differ anyway. */
function plain(text: string): string {
  return text
    .replaceAll(id, "<id>")
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "<uuid>")
    .replaceAll(/\d{4}-\d\d-\d\d[T ][\d:.]+(Z|\+00:00)?/g, "<time>")
    .replaceAll(/^https?:\/\/.*\//g, "<address>/");
}

function flat(value: unknown, at: string): [string, string][] {
  if (typeof value !== "object" || value === null) return [[at, plain(JSON.stringify(value))]];
  return Object.entries(value).flatMap(([name, inner]) => flat(inner, `${at}.${name}`));
}

async function answerTo(side: Side, ask: Ask, protocol: "rest" | "s3"): Promise<Facts> {
  const { base, headers } = protocol === "s3" ? signed(side, ask) : { base: side.base, headers: bearer(side, ask) };
  const response = await fetch(base + ask.path, {
    method: ask.method,
    headers: { ...ask.headers, ...headers },
    ...(ask.body === undefined ? {} : { body: new Uint8Array(Buffer.from(ask.body)) }),
  });
  const text = await response.text();
  const location = response.headers.get("location");
  if (location !== null) side.kept.set("location", location);
  const uploadId = /<UploadId>([^<]+)</.exec(text)?.[1];
  if (uploadId !== undefined) side.kept.set("UploadId", uploadId);
  let body: [string, string][] = text === "" ? [] : [["body", plain(text)]];
  if ((response.headers.get("content-type") ?? "").includes("json")) body = flat(JSON.parse(text), "body");
  else if (text.startsWith("<"))
    body = [...text.matchAll(/<(\w+)>([^<]*)/g)].map(([, name = "", value = ""]) => [`body.${name}`, plain(value)]);
  const kept = [...response.headers]
    .filter(([name]) => HEADERS.test(name))
    .map(([name, value]) => [name, plain(value)]);
  const all = [["status", String(response.status)], ...kept, ...body] as [string, string][];
  return Object.fromEntries(protocol === "s3" ? all.filter(([name]) => OF_S3.test(name)) : all);
}

function bearer(side: Side, { key: other = side.key }: Ask): Record<string, string> {
  return other === "" ? {} : { apikey: other, authorization: `Bearer ${other}` };
}

function signed({ s3: access }: Side, ask: Ask) {
  if (access === undefined) throw new RangeError("there are no keys of the S3 protocol");
  const { base, id: own, secret: secretKey, region } = access;
  const url = new URL(base + ask.path);
  const date = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const sha256 = createHash("sha256")
    .update(ask.body ?? "")
    .digest("hex");
  const headers = { host: url.host, "x-amz-content-sha256": sha256, "x-amz-date": date };
  const names = Object.keys(headers).sort();
  const query = url.search.slice(1);
  const signature = signatureOf({ method: ask.method, path: url.pathname, query, headers, names }, region, secretKey);
  const scope = `${ask.key ?? own}/${date.slice(0, 8)}/${region}/s3/aws4_request`;
  const authorization = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return { base, headers: { ...headers, authorization } };
}

/** Prints how two answers differ; gives the number of differences that nothing explains. */
function compare(step: string, real: Facts, ours: Facts): number {
  let unexplained = 0;
  for (const field of new Set([...Object.keys(real), ...Object.keys(ours)])) {
    if (real[field] === ours[field]) continue;
    const intended = INTENDED.find((one) => one.step.test(step) && one.field.test(field));
    if (intended === undefined) unexplained += 1;
    const why = intended === undefined ? "" : ` (meant: ${intended.why})`;
    console.log(`${step}: ${field}: ${real[field] ?? "absent"} there, ${ours[field] ?? "absent"} here${why}`);
  }
  return unexplained;
}

const imitation = await SupabaseStorageService.start();
imitation.backend = options.backend === "file" ? "file" : "s3";
const s3Id = options["s3-id"];
const behind = s3Id === undefined ? undefined : await startVersitygw();
await behind?.client.createBucket({ Bucket: bucket });
const gateway = behind && (await SupabaseS3.start(behind));
try {
  const base = (options.url ?? "").replace(/\/$/, "");
  const access =
    s3Id === undefined
      ? undefined
      : { base: `${base}/s3`, id: secret(s3Id), secret: secret(options["s3-secret"]), region: options.region };
  const real: Side = { base, key: secret(options.key), s3: access, kept: new Map() };
  const own = gateway && {
    base: `${gateway.url}/storage/v1/s3`,
    id: gateway.accessKeyId,
    secret: gateway.secretAccessKey,
    region: gateway.region,
  };
  const ours: Side = { base: `${imitation.url}/storage/v1`, key: imitation.serviceKey, s3: own, kept: new Map() };
  const steps = [
    ...rest.map((step) => ["rest", ...step] as const),
    ...(access ? s3 : []).map((step) => ["s3", ...step] as const),
  ];
  let differences = 0;
  for (const [protocol, name, ask] of steps) {
    const there = await answerTo(real, ask(real), protocol);
    differences += compare(`${protocol}: ${name}`, there, await answerTo(ours, ask(ours), protocol));
  }
  if (options.lost !== undefined) {
    const [of = "", ...path] = options.lost.split("/");
    imitation.makeBucket(of);
    imitation.put(path.join("/"), Buffer.from("hello"), of);
    imitation.rowsAlone.add(options.lost);
    const ask = get(`/object/authenticated/${options.lost}`);
    differences += compare(
      "rest: download what is lost",
      await answerTo(real, ask, "rest"),
      await answerTo(ours, ask, "rest"),
    );
  }
  for (const name of [bucket, limited]) {
    await answerTo(real, json("POST", `/bucket/${name}/empty`, {}), "rest");
    await answerTo(real, { method: "DELETE", path: `/bucket/${name}` }, "rest");
  }
  console.log(`${steps.length} requests, ${differences} differences that are not meant.`);
  process.exitCode = differences === 0 ? 0 : 1;
} finally {
  await gateway?.stop();
  await behind?.stop();
  await imitation.close();
}
