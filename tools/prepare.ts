import { NEEDS } from "./tests/needs.ts";
import { prepare } from "./tests/prepare.ts";

// Brings what all tests need. `npm test` brings by itself what the tests that it runs need.

try {
  await prepare(NEEDS, console.log);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
