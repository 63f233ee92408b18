import { dropboxSchema } from "./dropbox/config.ts";
import { defineStorage } from "./storage.ts";

/** Keeps objects in a Dropbox account, or in a team's space. */
export const dropbox = defineStorage({
  schema: dropboxSchema,
  secrets: ["appSecret", "refreshToken"],
  // Whose account it is only the token knows.
  place: ({ folder, prefix = "", namespace, appKey, refreshToken }) => [
    `${folder}/${prefix}`.toLowerCase().replaceAll(/\/+/g, "/"),
    namespace,
    appKey,
    JSON.stringify(refreshToken),
  ],
  create: async (config, { secrets }) => (await import("./dropbox/store.ts")).openDropbox(config, secrets),
});
