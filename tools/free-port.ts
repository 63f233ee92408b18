import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Ports to choose from, the last not included: below those that Linux and macOS give to connections, from 32768 and from 49152 on.
 * One of those could be taken by any connection before a server has it that was started for it.
 */
const FIRST = 20_000;
const END = 32_000;

const TRIES = 100;

/**
 * A port of this machine that nothing listens on.
 *
 * @throws {Error} where a hundred ports are in use
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = randomInt(FIRST, END);
    if (await isFree(port)) return port;
  }
  throw new Error(`Of the ports ${FIRST} to ${END - 1}, ${TRIES} are in use that were tried.`);
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, "127.0.0.1");
  try {
    await once(probe, "listening");
  } catch {
    return false;
  }
  probe.close();
  await once(probe, "close");
  return true;
}
