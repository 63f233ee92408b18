import { z } from "zod";
import { retryFields } from "../../retry.ts";
import { SecretRef } from "../../fields/secret-ref.ts";
import { storageFields } from "../storage.ts";

/** The configuration of a Dropbox. */
export const dropboxSchema = z.strictObject({
  kind: z.literal("dropbox").describe("A folder of a Dropbox account, or of a team's space."),
  folder: z
    .string()
    .regex(/^\/$|^(\/[^/\0]+)+$/, { error: "expected an absolute Dropbox path such as /backups, or / for the root" })
    .describe(
      "Absolute path of the folder in Dropbox; it is made if it does not exist. `/` is the root: of the account, or of " +
        "the app's own folder (/Apps/<app>) if the app was made with access to that alone.",
    )
    .meta({ examples: ["/backups"] }),
  appKey: z
    .string()
    .regex(/^[a-z0-9]{8,40}$/, { error: "expected the app's key of the App Console, lower-case letters and digits" })
    .describe("Key of your Dropbox app, as its page in the App Console (dropbox.com/developers/apps) shows it.")
    .meta({ examples: ["a1b2c3d4e5f6g7h"] }),
  appSecret: SecretRef.optional().describe(
    "Secret of the app. Left out: the refresh token was made with PKCE, which needs none.",
  ),
  refreshToken: SecretRef.describe(
    "Refresh token of the account, made with `token_access_type=offline` for the app whose key is appKey, with the scopes " +
      "files.content.write, files.content.read and files.metadata.read.",
  ),
  namespace: z
    .string()
    .regex(/^[0-9]{1,20}$/, { error: "expected a namespace's id as a string of digits, in quotes" })
    .optional()
    .describe("Id of the team space that `folder` starts from. Left out: the member's own folder.")
    .meta({ examples: ["1234567890"] }),
  ...storageFields,
  ...retryFields,
});

/** The configuration of a Dropbox. */
export type DropboxConfig = z.output<typeof dropboxSchema>;
