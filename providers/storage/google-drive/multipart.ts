import { randomUUID } from "node:crypto";
import type { DriveClient } from "./client.ts";
import type { CallOptions } from "../../http/service-client.ts";
import { factsOf, fileById } from "./files.ts";
import type { DriveFile } from "./files.ts";
import { notGoogle } from "./errors.ts";
import { UPLOAD_URL } from "./upload-url.ts";

/** What the service takes in one request together with what describes it. */
export const MULTIPART_BYTES = 5 * 1024 * 1024;

/**
 * Makes a small file in one request. The SDK would do it, but only from a stream that cannot be sent a second time.
 *
 * @param metadata holds the file's id, by which it is recognised that an earlier try was successful
 */
export function sendWhole(
  client: DriveClient,
  metadata: Readonly<Record<string, unknown>> & { readonly id: string },
  bytes: Buffer,
  options: CallOptions,
  retrySignal: AbortSignal | undefined,
): Promise<DriveFile> {
  const boundary = randomUUID();
  const part = (type: string) => `--${boundary}\r\nContent-Type: ${type}\r\n\r\n`;
  const body = Buffer.concat([
    Buffer.from(`${part("application/json; charset=UTF-8")}${JSON.stringify(metadata)}\r\n`),
    Buffer.from(part("application/octet-stream")),
    bytes,
    Buffer.from(`\r\n--${boundary}--`),
  ]);
  const headers = { "Content-Type": `multipart/related; boundary=${boundary}` };
  return client.retry(
    async () => {
      const answer = await client.ask(`${UPLOAD_URL}&uploadType=multipart`, { method: "POST", headers, body }, options);
      if (answer.status === 200) return factsOf(Object(answer.body) as object, options.action);
      const made = answer.status === 409 ? await fileById(client, metadata.id, options) : undefined;
      if (made !== undefined) return made;
      throw answer.status < 300 ? notGoogle(options.action) : client.refusal(answer, options.action);
    },
    { ...options, signal: retrySignal },
  );
}
