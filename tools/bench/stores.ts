import { spawn } from "node:child_process";
import { open, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Check, describeCheck, judge } from "./check.ts";
import { median } from "./median.ts";
import { storesUnderTest, type StoreUnderTest } from "./stores-under-test.ts";

// Uploads a file to each kind of store, on a local service, and to all at once, and compares with the plainest client. Ends with
// 1 where something is not as promised.

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    /** Megabytes that each store is given. */
    megabytes: { type: "string", default: "3000" },
    runs: { type: "string", default: "3" },
    /** Only these stores, separated by commas: a kind, or supabase-s3. */
    stores: { type: "string", default: "" },
  },
});

/**
 * What the program promises: peak memory in megabytes with one store and with all, and its time to the plain client's. A
 * folder has no service: what takes its time there is the source, which the plain client does not read as a stream.
 */
const LIMITS = { one: 220, all: 400, ratio: 1.25 };

const say = (line: string) => {
  if (!options.json) console.log(line);
};

/** Runs a command to its end; gives what it wrote, and its time in seconds. */
async function run(command: readonly string[], env: NodeJS.ProcessEnv): Promise<{ output: string; seconds: number }> {
  const [program = "", ...args] = command;
  const begun = performance.now();
  const child = spawn(program, args, { env: { PATH: process.env.PATH, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const code = await new Promise((resolve, reject) => child.on("error", reject).on("close", resolve));
  if (code !== 0) throw new Error(`${command.slice(0, 3).join(" ")} ended with ${String(code)}: ${output.slice(-500)}`);
  return { output, seconds: (performance.now() - begun) / 1000 };
}

const uploader = fileURLToPath(new URL("store-upload.ts", import.meta.url));

async function upload(stores: readonly StoreUnderTest[], file: string) {
  const imports = stores.flatMap(({ preload }) => (preload === undefined ? [] : [`--import=${preload}`]));
  const env = Object.assign({}, ...stores.map(({ environment }) => environment)) as NodeJS.ProcessEnv;
  env.STORES = JSON.stringify(stores.map(({ config, secrets }) => ({ config, secrets })));
  const { output } = await run([process.execPath, ...imports, uploader, file], env);
  return JSON.parse(output) as { seconds: number; peakMegabytes: number };
}

/** Bytes that do not compress, and differ from piece to piece. */
async function writeFile(path: string, megabytes: number): Promise<void> {
  const file = await open(path, "wx");
  const piece = crypto.getRandomValues(new Uint8Array(65_536));
  const megabyte = Buffer.concat(Array.from({ length: 16 }, () => piece)).subarray(0, 1_000_000);
  for (let n = 0; n < megabytes; n += 1) {
    megabyte.writeUInt32LE(n, (n * 4) % 900_000);
    await file.write(megabyte);
  }
  await file.close();
}

const directory = await mkdtemp(join(tmpdir(), "provision-bench-stores-"));
try {
  const megabytes = Number(options.megabytes);
  const file = join(directory, "bytes");
  await writeFile(file, megabytes);
  const chosen = options.stores === "" ? undefined : options.stores.split(",");
  const begin = storesUnderTest.filter(({ kind }) => chosen?.includes(kind) ?? true);
  const results = [];
  const checks: Check[] = [];
  const promise = (check: Check) => {
    checks.push(check);
    say(describeCheck(check));
  };
  for (const { kind, start } of begin) {
    const ours: number[] = [];
    const plain: number[] = [];
    let peak = 0;
    for (let round = 0; round < Number(options.runs); round += 1) {
      // A service of its own each time: what the one before holds would slow the next.
      const place = join(directory, `${kind}-${round}`);
      await mkdir(place);
      const store = await start(place, file);
      const clients = [
        async () => {
          const measured = await upload([store], file);
          ours.push(measured.seconds);
          peak = Math.max(peak, measured.peakMegabytes);
        },
        async () => {
          const env = { ...store.environment, FILE: file };
          plain.push((await run(["/bin/sh", "-c", store.plainClient], env)).seconds);
        },
      ];
      // They take turns in coming first.
      if (round % 2 === 1) clients.reverse();
      try {
        for (const client of clients) {
          // Else it would find the machine still writing what came before: the other's bytes, or the pieces for curl.
          await run(["sync"], {});
          await client();
        }
      } finally {
        await store.stop();
        await rm(place, { recursive: true, force: true });
      }
    }
    const ratio = median(ours) / median(plain);
    results.push({ kind, seconds: median(ours), plainSeconds: median(plain), ratio, peakMegabytes: peak });
    say(`\n${kind}: ${median(ours).toFixed(1)} s, the plain client ${median(plain).toFixed(1)} s`);
    if (kind !== "filesystem")
      promise({ what: `time of ${kind} to the plain client's`, value: ratio, atMost: LIMITS.ratio });
    promise({ what: `memory with ${kind}`, value: peak, atMost: LIMITS.one, unit: "MB" });
  }
  const together = begin.filter(({ otherWay }) => otherWay !== true);
  if (together.length > 0) {
    const place = join(directory, "all");
    await mkdir(place);
    const stores = await Promise.all(together.map(({ start }) => start(place, file)));
    try {
      const all = await upload(stores, file);
      results.push({ kind: "all", ...all });
      say(`\nall ${stores.length} at once: ${all.seconds.toFixed(1)} s`);
      promise({ what: "memory with all at once", value: all.peakMegabytes, atMost: LIMITS.all, unit: "MB" });
    } finally {
      for (const store of stores) await store.stop();
    }
  }
  if (options.json) console.log(JSON.stringify({ megabytes, runs: Number(options.runs), results, checks }, null, 2));
  judge(checks);
} finally {
  await rm(directory, { recursive: true, force: true });
}
