import { once } from "node:events";
import http from "node:http";
import type { IncomingMessage } from "node:http";
import https from "node:https";
import { Readable } from "node:stream";
import type { Answer } from "./errors.ts";

/** Bytes that are handed to the connection at a time: who watches sees each of them go. */
const SLICE_BYTES = 256 * 1024;

/** What is sent. */
export interface Outgoing {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  readonly signal: AbortSignal;
  /** Called for each piece of the body that goes. */
  readonly moved: () => void;
}

/**
 * Makes a request and gives the response as soon as its headers are there. Not `fetch`: that copies every body before it
 * sends it, and does not tell how far it is.
 */
export async function send(url: string, outgoing: Outgoing): Promise<IncomingMessage> {
  const { method, headers, body = "", signal, moved } = outgoing;
  const { request: make } = url.startsWith("https:") ? https : http;
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const length = bytes.length > 0 || method === "POST" || method === "PATCH" ? { "content-length": bytes.length } : {};
  const request = make(url, { method, headers: { ...headers, ...length }, signal });
  if (bytes.length === 0) request.end();
  else Readable.from(slices(bytes, moved), { objectMode: false }).pipe(request);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  // A connection may break once more after the answer is complete: nobody listens then.
  request.on("error", () => undefined);
  return response;
}

/** Reads a response to its end. */
export async function answerOf(response: IncomingMessage): Promise<Answer> {
  const pieces: Buffer[] = [];
  for await (const piece of response as AsyncIterable<Buffer>) pieces.push(piece);
  return { status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(pieces).toString() };
}

function* slices(bytes: Buffer, moved: () => void): Generator<Buffer> {
  for (let start = 0; start < bytes.length; start += SLICE_BYTES) {
    moved();
    yield bytes.subarray(start, start + SLICE_BYTES);
  }
}
