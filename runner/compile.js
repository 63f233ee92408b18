import { globSync, readFileSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

// Loaded before cli.js where the image is built: puts all that a run may load into the cache that runs take it from. The image lets
// nothing be written later, and most modules are loaded only by the runs that use them.

const root = dirname(import.meta.dirname);
enableCompileCache(join(root, "node_modules/.cache/compile"));

// The entries themselves are loaded by the command that this one precedes.
const entries = "runner/{cli,compile,main}.*";
for (const path of globSync("{providers,runner}/**/*.{ts,js}", { cwd: root, exclude: ["**/*.d.ts", entries] })) {
  await import(pathToFileURL(join(root, path)).href);
}

// SDKs load parts of themselves late, too: AWS's, what asks a task's role for credentials. Those are packages of their own.
const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
for (const [path, { dev }] of Object.entries(packages)) {
  const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path) ?? [];
  // Some have no module of their own name, or none for Node.js. What is missing costs a run some milliseconds and nothing else.
  if (name !== undefined && dev !== true) await import(name).catch(() => undefined);
}
