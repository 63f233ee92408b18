import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { goBuild, keepProgram } from "./go-program.ts";

/** The version that tools/versitygw/go.mod names. */
const VERSION = "1.8.0";

/**
 * Brings versitygw, the S3 server of the tests, and gives the path of its executable: from the cache, or by a build from
 * `tools/versitygw` with Go, which takes about three minutes and says so.
 *
 * @throws Error when there is no Go to build with; it says what to install.
 */
export async function ensureVersitygw(say: (line: string) => void = console.error): Promise<string> {
  const { directory } = await keepProgram({
    name: "versitygw",
    title: "versitygw",
    version: VERSION,
    say,
    bring: async (root) => {
      say(`Building versitygw ${VERSION}, the S3 server of the tests, once; this takes about three minutes …`);
      await goBuild({
        module: fileURLToPath(new URL("versitygw/", import.meta.url)),
        command: "github.com/versity/versitygw/cmd/versitygw",
        executable: join(root, "bin", "versitygw"),
        withoutGo:
          "Go is not here, which builds the S3 server of the tests. Install Go 1.26 or newer (https://go.dev/doc/install) " +
          "so that `go version` works, then try again.",
      });
      return "build" as const;
    },
  });
  return join(directory, "versitygw");
}
