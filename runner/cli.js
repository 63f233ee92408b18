#!/usr/bin/env node
import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

// Taking the types out of the sources and compiling them takes half of a start, and 30 MB that stay. The cache lies with the
// program and is trusted like it; Node's own place for it, in the folder for temporary files, is open to others. Where it
// cannot be written, nothing is lost but the time.
//
// JavaScript, since this file itself is never in the cache: were it TypeScript, Node.js would load what takes types out for
// these few lines alone, which is 25 ms of the 200 that a start takes.
enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/compile", import.meta.url)));

// Node.js takes no types out below node_modules: the package has JavaScript, in a folder that is laid out like the project.
const beside = (path) => existsSync(new URL(path, import.meta.url));
if (beside("main.ts")) await import("./main.ts");
else await import(beside("main.js") ? "./main.js" : "../dist/runner/main.js");
