import type { Lie } from "../contract/storage.ts";
import type { FaultyProxy } from "../../tools/services/faulty-proxy.ts";

/** Has an S3 service say something wrong of an object from now on, whose path in it is given. */
export function lieAbout(proxy: FaultyProxy, path: string, lie: Lie): void {
  proxy.misbehave(
    {
      kind: "headers",
      change: (headers) => {
        const length = Number(headers["content-length"]);
        if (lie === "different") return { ...headers, "x-amz-checksum-crc32": "AAAAAA==" };
        return { ...headers, "content-length": String(lie === "shorter" ? length - 1 : length + 1) };
      },
    },
    ({ method, url }) => method === "HEAD" && url === path,
  );
}

/** How many bytes an S3 service was sent for an object, whole or in parts. */
export function bytesSent(proxy: FaultyProxy, path: string): number {
  const sent = proxy.requests.filter(({ method, url }) => method === "PUT" && url.startsWith(path));
  return sent.reduce((sum, { bytes }) => sum + bytes, 0);
}
