#!/usr/bin/env node
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

// Taking the types out of the sources and compiling them takes half of a start, and 30 MB that stay. The cache lies with the
// program and is trusted like it; Node's own place for it, in the folder for temporary files, is open to others. Where it
// cannot be written, nothing is lost but the time.
enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/compile", import.meta.url)));
await import("./main.ts");
