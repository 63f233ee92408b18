/**
 * Uploads a stream of unknown length to a Google Drive in a process of its own, to measure its memory:
 * `google-drive-upload-process.ts CLIENT_ID KEY MIB`, with the secrets in CLIENT_SECRET and REFRESH_TOKEN. Prints
 * `{ seconds, peakMiB }` as JSON.
 */
import { googleDrive } from "../../providers/storage/google-drive.ts";
import { measureUpload } from "./measured-upload.ts";

const [clientId, key = "", size] = process.argv.slice(2);
const { CLIENT_SECRET: clientSecret = "", REFRESH_TOKEN: refreshToken = "" } = process.env;
const config = googleDrive.schema.parse({
  kind: "google-drive",
  folder: "/Backups",
  clientId,
  clientSecret: { env: "CLIENT_SECRET" },
  refreshToken: { env: "REFRESH_TOKEN" },
});
const storage = await googleDrive.create(config, { secrets: { clientSecret, refreshToken } });
await measureUpload(storage, key, Number(size));
