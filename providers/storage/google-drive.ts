import { googleDriveSchema } from "./google-drive/config.ts";
import { defineStorage } from "./storage.ts";

/** Keeps objects in a Google Drive, or in a shared drive. */
export const googleDrive = defineStorage({
  schema: googleDriveSchema,
  secrets: ["clientSecret", "refreshToken", "serviceAccountKey"],
  // Without a folder or drive that is named, it is that of the account, which only the secret knows.
  place: ({ driveId, folderId, folder, prefix = "", refreshToken, serviceAccountKey, impersonate }) => [
    [...folder.split("/"), ...prefix.split("/")].filter((name) => name !== "").join("/"),
    driveId ?? folderId ?? JSON.stringify([refreshToken, serviceAccountKey, impersonate]),
  ],
  create: async (config, { secrets }) => (await import("./google-drive/store.ts")).openGoogleDrive(config, secrets),
});
