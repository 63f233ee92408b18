import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";
import type { ProviderContext } from "../../providers/definition.ts";
import { recorded } from "../recording/record.ts";

/** The MiB of a small upload, whose process shows what there is without a stream. */
const SMALL = 1;

/** Sizes of a large upload in MiB. */
export const LARGE = {
  /** Shows a tenth of it that is held, too: for one store of each way in which providers write. */
  whole: 1280,
  /** Shows a third that is held: for all others. */
  shorter: 384,
} as const;

/** The MiB that a process may take, and how much more of them for a large upload: buffers, sockets and the collector. */
const MOST = 220;
const MOST_MORE = 100;

/** A store: its configuration, and the secrets that it refers to. */
export interface StoreToOpen {
  readonly config: object;
  readonly secrets: ProviderContext["secrets"];
}

/**
 * Uploads a small object, `o1`, and a large one, such as `o1280`, each in a process of its own, which must hold a bounded part
 * of it in memory.
 *
 * @param redirect a module that sends the process's requests to a service on this machine, with the variables that it reads
 */
export async function expectBoundedMemory(
  name: string,
  store: StoreToOpen,
  largeMiB: number,
  redirect?: { readonly module: string; readonly environment: Readonly<Record<string, string>> },
): Promise<void> {
  const script = join(import.meta.dirname, "upload-memory-process.ts");
  const peaks: number[] = [];
  for (const size of [SMALL, largeMiB]) {
    const { stdout } = await promisify(execFile)(process.execPath, [script, `o${size}`, String(size)], {
      env: recorded({
        STORE: JSON.stringify(store),
        ...(redirect === undefined ? {} : { NODE_OPTIONS: `--import=${redirect.module}`, ...redirect.environment }),
      }),
    });
    const { seconds, peakMiB } = JSON.parse(stdout) as { seconds: number; peakMiB: number };
    const took = `${size} MiB in ${seconds.toFixed(1)} s`;
    process.stdout.write(`${name}: ${took}, peak memory ${peakMiB.toFixed(0)} MiB\n`);
    peaks.push(peakMiB);
  }
  const [small = NaN, large = NaN] = peaks;
  expect(large).toBeLessThan(MOST);
  expect(large - small).toBeLessThan(MOST_MORE);
}
