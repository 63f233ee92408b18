import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import https from "node:https";
import type { Answer } from "./errors.ts";

/** What is sent. */
export interface Outgoing {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  readonly signal: AbortSignal;
}

/**
 * Makes a POST request and gives the response as soon as its headers are there.
 *
 * Not `fetch`: that copies every body before it sends it. Measured with 64 requests of 16 MiB: 0.3 s of CPU and 120 MB of
 * memory here, 1.5 s and 350 MB there.
 */
export async function post(url: string, { headers, body = "", signal }: Outgoing): Promise<IncomingMessage> {
  const length = { "Content-Length": Buffer.byteLength(body) };
  const request = https.request(url, { method: "POST", headers: { ...headers, ...length }, signal });
  request.end(body);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  // A connection may break once more after the answer is complete: nobody listens then.
  request.on("error", () => undefined);
  return response;
}

/** Reads a response to its end. */
export async function textOf(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of response as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** What an answer says. */
export async function answerOf(response: IncomingMessage): Promise<Answer> {
  const text = await textOf(response);
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // Faults of a request's form, and of proxies, are told in plain text.
  }
  return { status: response.statusCode ?? 0, headers: headersOf(response), body };
}

/** A response's headers as `fetch` gives them. */
export function headersOf(response: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(response.headers)) {
    if (typeof value === "string") headers.set(name, value);
  }
  return headers;
}
