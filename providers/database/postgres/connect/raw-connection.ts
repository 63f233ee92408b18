import { isAscii } from "node:buffer";
import { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import type { Client } from "pg";
import { bytesOf, hasRawBytes, textOf } from "./raw-text.ts";

/** What is used of a connection of the `pg` package, which itself reads and writes UTF-8 alone. */
interface Wire {
  readonly stream: Duplex;
  startup(parameters: Readonly<Record<string, string>>): void;
  query(text: string): void;
  parse(statement: { readonly name?: string; readonly text: string }): void;
  attachListeners(stream: EventEmitter): void;
}

/** The type of the message with a row of a result, and the bytes before a message's content: its type and its length. */
const DATA_ROW = "D".charCodeAt(0);
const HEADER = 5;

/** The number of the type `text`. */
const TEXT = 25;

/** Lets a client that has not connected yet take and give texts with raw bytes in them; see raw-text.ts. */
export function carryRawBytes(client: Client): void {
  const { connection } = client as unknown as { readonly connection: Wire };
  const startup = connection.startup.bind(connection);
  const query = connection.query.bind(connection);
  const parse = connection.parse.bind(connection);
  const attachListeners = connection.attachListeners.bind(connection);
  connection.startup = (parameters) => {
    if (!Object.values(parameters).some(hasRawBytes)) {
      startup(parameters);
      return;
    }
    const pairs = Object.entries({ ...parameters, client_encoding: "UTF8" }).flat();
    // Version 3.0 of the protocol; this message has no type.
    connection.stream.write(withLength(Buffer.of(0, 3, 0, 0), ...pairs.map(terminated), Buffer.of(0)));
  };
  connection.query = (text) => {
    if (hasRawBytes(text)) connection.stream.write(Buffer.concat([Buffer.from("Q"), withLength(terminated(text))]));
    else query(text);
  };
  connection.parse = (statement) => {
    const { name = "", text } = statement;
    if (!hasRawBytes(text)) {
      parse(statement);
      return;
    }
    const content = withLength(terminated(name), terminated(text), Buffer.of(0, 0));
    connection.stream.write(Buffer.concat([Buffer.from("P"), content]));
  };
  connection.attachListeners = (stream) => {
    attachListeners(readable(stream));
  };
}

/** A parameter of a query as the `pg` package sends it: as bytes, where it is a text with raw bytes or a list with one. */
export function parameterOf(value: unknown): unknown {
  if (typeof value === "string") return hasRawBytes(value) ? bytesOf(value) : value;
  if (!Array.isArray(value) || !value.some((each) => typeof each === "string" && hasRawBytes(each))) return value;
  // An array of the type text[] in its binary form: dimensions, no nulls, the type; then its length and its first index.
  const elements = value.map((each) => prefixed(bytesOf(String(each))));
  return Buffer.concat([int32(1), int32(0), int32(TEXT), int32(elements.length), int32(1), ...elements]);
}

/** What comes from the server, with texts in rows as the `pg` package can read them. */
function readable(stream: EventEmitter): EventEmitter {
  const output = new EventEmitter();
  let rest: Buffer = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const messages: Buffer[] = [];
    let position = 0;
    while (position + HEADER <= rest.length) {
      const end = position + 1 + rest.readUInt32BE(position + 1);
      if (end > rest.length) break;
      const message = rest.subarray(position, end);
      messages.push(message[0] === DATA_ROW && !isAscii(message.subarray(HEADER)) ? readableRow(message) : message);
      position = end;
    }
    rest = rest.subarray(position);
    for (const message of messages) output.emit("data", message);
  });
  stream.on("end", () => output.emit("end"));
  return output;
}

function readableRow(message: Buffer): Buffer {
  const columns = message.readUInt16BE(HEADER);
  const parts: Buffer[] = [message.subarray(HEADER, HEADER + 2)];
  let position = HEADER + 2;
  for (let column = 0; column < columns; column += 1) {
    const length = message.readInt32BE(position);
    position += 4;
    if (length === -1) {
      parts.push(int32(-1));
      continue;
    }
    parts.push(prefixed(Buffer.from(textOf(message.subarray(position, position + length)))));
    position += length;
  }
  return Buffer.concat([message.subarray(0, 1), withLength(...parts)]);
}

function terminated(text: string): Buffer {
  return Buffer.concat([bytesOf(text), Buffer.of(0)]);
}

function prefixed(bytes: Buffer): Buffer {
  return Buffer.concat([int32(bytes.length), bytes]);
}

/** With the length in front, which counts itself. */
function withLength(...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([int32(content.length + 4), content]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
