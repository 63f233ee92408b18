import { resolve } from "node:path";
import { z } from "zod";
import { ProviderError } from "../errors.ts";
import { defineStorage, storageFields } from "./storage.ts";

/** Keeps objects as files. Needs no account and no network. */
export const filesystem = defineStorage({
  schema: z.strictObject({
    kind: z.literal("filesystem").describe("A folder on the runner's machine."),
    path: z
      .string()
      .regex(/^\/[^\0]*$/, { error: "expected an absolute path, which starts with '/'", abort: true })
      .refine((path) => !/\/\.\.(\/|$)/.test(path) && resolve(path) !== "/", {
        error: "expected the path of a folder, without '..', and not the root of all",
      })
      .optional()
      .describe(
        "Absolute path of the folder. It is made if it does not exist, for its owner alone. Left out: a folder of the " +
          "stack's own on the target `host`.",
      )
      .meta({ examples: ["/srv/backups"] }),
    ...storageFields,
  }),
  asks: ["path"],
  secrets: [],
  folder: { path: ({ path }) => path, at: (config, path) => ({ path, ...config }) },
  place: ({ path, prefix = "" }) => (path === undefined ? [path, prefix] : [resolve(path, prefix)]),
  async create(config) {
    if (config.path === undefined) {
      throw new ProviderError("CONFIG", "The storage of kind filesystem has no path.", {
        fix: "Set path to an absolute folder, for instance path: /srv/backups.",
      });
    }
    const { FilesystemStorageProvider } = await import("./filesystem/store.ts");
    return new FilesystemStorageProvider(resolve(config.path, config.prefix ?? ""), config.stallTimeoutSeconds);
  },
});
