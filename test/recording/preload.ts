/**
 * Records the address of every request that this process makes, the arguments of every process that it starts, and what it
 * writes on its standard streams. Loaded before a program (`node --import`), or by the tests' setup.
 */
import type { ChildProcess } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import type { ClientRequest } from "node:http";
import { record } from "./record.ts";

// The first of them hears of complete requests; of one that broke before, only the second hears.
for (const channel of ["http.client.request.start", "http.client.request.error"]) {
  subscribe(channel, (message) => {
    const { request } = message as { request: ClientRequest };
    record("URL", `${request.protocol}//${request.host}${request.path}`);
  });
}
subscribe("undici:request:create", (message) => {
  const { request } = message as { request: { origin: string | URL; path: string } };
  record("URL", `${String(request.origin)}${request.path}`);
});
subscribe("child_process", (message) => {
  const child = (message as { process: ChildProcess }).process;
  // It does not know its arguments yet.
  queueMicrotask(() => {
    record("argument", [...child.spawnargs].join(" "));
  });
});

for (const stream of [process.stdout, process.stderr]) {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  stream.write = (...args: unknown[]) => {
    const [text] = args;
    record("output", text instanceof Uint8Array ? Buffer.from(text).toString() : String(text));
    return write(...args);
  };
}
