import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** An object of a {@link MemoryService}. */
interface MemoryObject {
  readonly bytes: Buffer;
  readonly etag: string;
  readonly modified: string;
  /** What its owner keeps with it, as JSON. */
  readonly about: string;
}

/** A small service that keeps objects in its memory, for those who have the token. */
export interface MemoryService {
  readonly url: string;
  readonly objects: Map<string, MemoryObject>;
  /** Stores an object as another program would, over one that is there too. */
  put(key: string, bytes: Buffer, about?: string): void;
  close(): Promise<void>;
}

export async function startMemoryService(token: string): Promise<MemoryService> {
  const objects = new Map<string, MemoryObject>();
  const put = (key: string, bytes: Buffer, about = "{}") => {
    const etag = createHash("sha256").update(bytes).digest("hex");
    objects.set(key, { bytes, etag, modified: new Date().toISOString(), about });
  };
  const server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? "/", "http://memory");
      const key = decodeURIComponent(url.pathname.slice(1));
      const object = objects.get(key);
      const answer = (status: number, body: Buffer | string = "", found?: MemoryObject) => {
        const facts = found && { etag: found.etag, "x-modified": found.modified, "x-about": found.about };
        const size = String(found?.bytes.length ?? body.length);
        response.writeHead(status, { "x-size": size, connection: "close", ...facts }).end(body);
      };
      if (request.headers.authorization !== `Bearer ${token}`) answer(401);
      else if (request.method === "PUT") {
        const bytes = await buffer(request);
        if (objects.has(key)) answer(409);
        else {
          put(key, bytes, String(request.headers["x-about"] ?? "{}"));
          answer(200, "", objects.get(key));
        }
      } else if (key === "") {
        const below = `${url.searchParams.get("below") ?? ""}/`;
        const found = [...objects].filter(([each]) => each.startsWith(below)).sort(([a], [b]) => (a < b ? -1 : 1));
        const rows = found.map(([each, { bytes, etag, modified }]) => [each, bytes.length, etag, modified]);
        answer(200, JSON.stringify(rows));
      } else if (request.method === "DELETE") {
        objects.delete(key);
        answer(200);
      } else if (object) answer(200, request.method === "HEAD" ? "" : object.bytes, object);
      else answer(404);
    })().catch(() => {
      response.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    put,
    async close() {
      server.close();
      await once(server, "close");
    },
  };
}
