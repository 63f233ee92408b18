import { execFile } from "node:child_process";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { DropboxService } from "../services/dropbox.ts";
import { GoogleDriveService } from "../services/google-drive.ts";
import { SupabaseS3 } from "../services/supabase-s3.ts";
import { SupabaseStorageService } from "../services/supabase-storage.ts";
import { startVersitygw } from "../services/versitygw.ts";

const MiB = 1024 * 1024;

/** A store with a local service behind it, ready to be measured. */
export interface StoreUnderTest {
  readonly config: object;
  readonly secrets: Readonly<Record<string, string>>;
  /** What sends the process's requests to the local service. */
  readonly preload?: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Uploads the file `$FILE` with the plainest client that there is, as a shell command, in requests no smaller than ours. */
  readonly plainClient: string;
  stop(): Promise<void>;
}

/** A kind of store, and how to start one in a folder of its own, for a file. */
interface StoreKind {
  readonly kind: string;
  /** Whether it is another way to a kind that is among these already: then it is none of all the kinds at once. */
  readonly otherWay?: boolean;
  readonly start: (place: string, file: string) => Promise<StoreUnderTest>;
}

const local = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const filesystem: StoreKind = {
  kind: "filesystem",
  start: (place) =>
    Promise.resolve({
      config: { kind: "filesystem", path: join(place, "store") },
      secrets: {},
      environment: {},
      plainClient: `dd if="$FILE" of=${place}/copy bs=1M conv=fsync status=none`,
      stop: () => Promise.resolve(),
    }),
};

const s3: StoreKind = {
  kind: "s3",
  start: async () => {
    const service = await startVersitygw();
    const { url, accessKeyId, secretAccessKey } = service;
    await service.client.createBucket({ Bucket: "bench" });
    return {
      config: {
        kind: "s3",
        endpoint: url,
        bucket: "bench",
        accessKeyId: { env: "UNUSED" },
        secretAccessKey: { env: "UNUSED" },
      },
      secrets: { accessKeyId, secretAccessKey },
      environment: {
        S3_URL: url,
        AWS_REGION: "us-east-1",
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
      },
      plainClient: `${process.execPath} ${local("s3-put.ts")}`,
      stop: () => service.stop(),
    };
  },
};

const dropbox: StoreKind = {
  kind: "dropbox",
  start: async (place, file) => {
    const service = await DropboxService.start();
    // What it would keep in memory takes as long as to receive it, and more the more there is.
    service.forgetful = true;
    const { origin, appKey, appSecret, refreshToken } = service;
    const token = await accessToken(`${origin}/api.dropboxapi.com/oauth2/token`, {
      grant_type: "refresh_token",
      client_id: appKey,
      client_secret: appSecret,
      refresh_token: refreshToken,
    });
    const pieces = await piecesOf(file, place, 64 * MiB);
    const address = `${origin}/content.dropboxapi.com/2/files/upload_session`;
    const requests = pieces.map(({ path, offset }, index) => {
      const cursor = { session_id: "SESSION", offset };
      const last = index === pieces.length - 1;
      const commit = { path: "/plain", mode: "add", autorename: false, strict_conflict: true };
      return {
        url: `${address}/${last ? "finish" : "append_v2"}`,
        headers: { "dropbox-api-arg": JSON.stringify(last ? { cursor, commit } : { cursor, close: false }) },
        path,
      };
    });
    const common = { authorization: `Bearer ${token}`, "content-type": "application/octet-stream" };
    const config = await curlConfig(place, "POST", common, requests);
    const begin =
      `curl -sSf -X POST -H @${place}/headers -H 'dropbox-api-arg: {"close":false}' --data-binary '' ${address}/start ` +
      `| sed 's/.*"session_id":"\\([^"]*\\)".*/\\1/'`;
    return {
      config: {
        kind: "dropbox",
        folder: "/bench",
        appKey,
        appSecret: { env: "UNUSED" },
        refreshToken: { env: "UNUSED" },
      },
      secrets: { appSecret, refreshToken },
      preload: local("../services/dropbox-redirect.ts"),
      environment: { DROPBOX_SERVICE: origin },
      plainClient: `session=$(${begin}) && sed "s/SESSION/$session/" ${config} | curl -sSf -o /dev/null -K -`,
      stop: () => service.close(),
    };
  },
};

const googleDrive: StoreKind = {
  kind: "google-drive",
  start: async (place, file) => {
    const service = await GoogleDriveService.start();
    // As with Dropbox.
    service.forgetful = true;
    const { origin, clientId, clientSecret, refreshToken } = service;
    const token = await accessToken(`${origin}/oauth2.googleapis.com/token`, {
      grant_type: "refresh_token",
      client_id: clientId,
      client_secret: clientSecret,
      refresh_token: refreshToken,
    });
    const authorization = `Bearer ${token}`;
    const generated = await fetch(`${origin}/www.googleapis.com/drive/v3/files/generateIds?count=1`, {
      headers: { authorization },
    });
    const { ids } = (await generated.json()) as { ids: string[] };
    const metadata = JSON.stringify({ id: ids[0], name: "plain", parents: ["root"] });
    const pieces = await piecesOf(file, place, 64 * MiB);
    const total = (await stat(file)).size;
    const requests = pieces.map(({ path, offset, size }) => ({
      url: "SESSION",
      headers: { "content-range": `bytes ${offset}-${offset + size - 1}/${total}` },
      path,
    }));
    const config = await curlConfig(place, "PUT", { authorization }, requests);
    const begin =
      `curl -sSf -D - -o /dev/null -X POST -H @${place}/headers -H 'content-type: application/json; charset=UTF-8' ` +
      `--data-binary '${metadata}' ` +
      `'${origin}/www.googleapis.com/upload/drive/v3/files?uploadType=resumable&supportsAllDrives=true' ` +
      `| tr -d '\\r' | sed -n 's/&/\\\\&/g; s/^[Ll]ocation: https:..//p'`;
    return {
      config: {
        kind: "google-drive",
        folder: "/bench",
        clientId,
        clientSecret: { env: "UNUSED" },
        refreshToken: { env: "UNUSED" },
      },
      secrets: { clientSecret, refreshToken },
      preload: local("../services/google-drive-redirect.ts"),
      environment: { GOOGLE_DRIVE_SERVICE: origin },
      plainClient: `session=$(${begin}) && sed "s|SESSION|${origin}/$session|" ${config} | curl -sSf -o /dev/null -K -`,
      stop: () => service.close(),
    };
  },
};

const supabase: StoreKind = {
  kind: "supabase",
  start: async (place, file) => {
    const service = await SupabaseStorageService.start();
    const { url, serviceKey } = service;
    const pieces = await piecesOf(file, place, 6 * MiB);
    const total = (await stat(file)).size;
    const common = { authorization: `Bearer ${serviceKey}`, apikey: serviceKey, "tus-resumable": "1.0.0" };
    const requests = pieces.map(({ path, offset, size }) => ({
      url: "SESSION",
      headers: {
        "content-type": "application/offset+octet-stream",
        "upload-offset": String(offset),
        "x-upsert": "false",
        // The provider does not know the length before its end either.
        ...(offset + size === total ? { "upload-length": String(total) } : {}),
      },
      path,
    }));
    const config = await curlConfig(place, "PATCH", common, requests);
    const metadata = { bucketName: "backups", objectName: "plain", contentType: "application/octet-stream" };
    const pairs = Object.entries(metadata).map(([name, value]) => `${name} ${Buffer.from(value).toString("base64")}`);
    const address = `${url}/storage/v1/upload/resumable`;
    const begin =
      `curl -sSf -D - -o /dev/null -X POST -H @${place}/headers -H 'upload-defer-length: 1' -H 'x-upsert: false' ` +
      `-H 'upload-metadata: ${pairs.join(",")}' ${address} | tr -d '\\r' | sed -n 's|^[Ll]ocation: .*/||p'`;
    return {
      config: { kind: "supabase", url, bucket: "backups", key: { env: "UNUSED" } },
      secrets: { key: serviceKey },
      environment: {},
      plainClient: `session=$(${begin}) && sed "s|SESSION|${address}/$session|" ${config} | curl -sSf -o /dev/null -K -`,
      stop: () => service.close(),
    };
  },
};

/** Supabase Storage by its S3 protocol. */
const supabaseS3: StoreKind = {
  kind: "supabase-s3",
  otherWay: true,
  start: async () => {
    const behind = await startVersitygw();
    const service = await SupabaseS3.start(behind);
    const { url, region, accessKeyId, secretAccessKey } = service;
    await behind.client.createBucket({ Bucket: "bench" });
    return {
      config: {
        kind: "supabase",
        url,
        bucket: "bench",
        s3: { region, accessKeyId: { env: "UNUSED" }, secretAccessKey: { env: "UNUSED" } },
      },
      secrets: { "s3.accessKeyId": accessKeyId, "s3.secretAccessKey": secretAccessKey },
      environment: {
        S3_URL: `${url}/storage/v1/s3`,
        AWS_REGION: region,
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        // The service takes no checksums.
        AWS_REQUEST_CHECKSUM_CALCULATION: "WHEN_REQUIRED",
      },
      plainClient: `${process.execPath} ${local("s3-put.ts")}`,
      stop: async () => {
        await service.stop();
        await behind.stop();
      },
    };
  },
};

/** Every kind of store, in the order in which they are measured. */
export const storesUnderTest: readonly StoreKind[] = [filesystem, s3, supabase, supabaseS3, dropbox, googleDrive];

async function accessToken(url: string, form: Readonly<Record<string, string>>): Promise<string> {
  const response = await fetch(url, {
    method: "POST",
    body: new URLSearchParams(form).toString(),
    headers: {
      "content-type": "application/x-www-form-urlencoded",
    },
  });
  const { access_token: token } = (await response.json()) as { access_token?: string };
  if (token === undefined) throw new Error(`${url} gave no access token: ${response.status}`);
  return token;
}

interface Piece {
  readonly path: string;
  readonly offset: number;
  readonly size: number;
}

/** Files that hold the pieces of a file: curl sends whole files only. */
async function piecesOf(file: string, place: string, size: number): Promise<Piece[]> {
  const folder = join(place, `pieces-${size}`);
  await mkdir(folder, { recursive: true });
  await promisify(execFile)("split", ["-a", "5", "-d", "-b", String(size), file, join(folder, "piece-")]);
  const names = (await readdir(folder)).sort();
  return Promise.all(
    names.map(async (name, index) => {
      const path = join(folder, name);
      return { path, offset: index * size, size: (await stat(path)).size };
    }),
  );
}

interface CurlRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly path: string;
}

/** Writes requests that curl makes one after the other over one connection; gives the file's path. */
async function curlConfig(
  place: string,
  method: string,
  common: Readonly<Record<string, string>>,
  requests: readonly CurlRequest[],
): Promise<string> {
  const line = (name: string, value: string) => `${name} = "${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  const texts = requests.map(({ url, headers, path }) =>
    [
      line("url", url),
      line("request", method),
      line("upload-file", path),
      line("output", "/dev/null"),
      "silent",
      "show-error",
      "fail",
      ...Object.entries({ ...common, ...headers, expect: "" }).map(([name, value]) =>
        line("header", `${name}: ${value}`),
      ),
    ].join("\n"),
  );
  const path = join(place, "curl");
  await writeFile(path, texts.join("\nnext\n"), { mode: 0o600 });
  const lines = Object.entries(common).map(([name, value]) => `${name}: ${value}`);
  await writeFile(join(place, "headers"), lines.join("\n"), { mode: 0o600 });
  return path;
}
