import { FIELDS } from "./files.ts";

/**
 * Where new files are sent in either way, with the facts that come back. Not to be seen by everybody of a Workspace whose
 * files are so by default.
 */
export const UPLOAD_URL =
  "https://www.googleapis.com/upload/drive/v3/files?supportsAllDrives=true&ignoreDefaultVisibility=true&" +
  `fields=${encodeURIComponent(FIELDS)}`;
