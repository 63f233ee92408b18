import { describeFilesContract } from "../../contract/files.ts";
import { startMemoryService } from "../memory-service.ts";
import { memoryFiles } from "./memory-files.ts";

const KEY = "memory-k3y-marker";

describeFilesContract("memory-files", async () => {
  const service = await startMemoryService(KEY);
  const papers = { name: "papers", public: false, fileSizeLimit: null, allowedMimeTypes: null };
  service.put("bucket/papers", Buffer.from(JSON.stringify(papers)));
  const config = memoryFiles.schema.parse({ kind: "memory-files", url: service.url, key: { env: "KEY" } });
  return {
    files: await memoryFiles.create(config, { secrets: { key: KEY } }),
    put: (path, bytes) => {
      service.put(`files/papers/${path}`, bytes);
    },
    remove: (path) => service.objects.delete(`files/papers/${path}`),
    dispose: () => service.close(),
  };
});
