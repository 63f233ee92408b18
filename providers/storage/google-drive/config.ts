import { z } from "zod";
import { ProviderError } from "../../errors.ts";
import { retryFields } from "../../retry.ts";
import { SecretRef } from "../../fields/secret-ref.ts";
import { storageFields } from "../storage.ts";
import { serviceAccount, type Credentials } from "./credentials.ts";

const id = (what: string) =>
  z.string().regex(/^[A-Za-z0-9_-]{10,100}$/, {
    error: `expected the id of a ${what}: the last part of its address, https://drive.google.com/drive/folders/<id>`,
  });

/** The configuration of a destination of kind google-drive. */
export const googleDriveSchema = z
  .strictObject({
    kind: z.literal("google-drive").describe("A folder of a Google Drive, or of a shared drive."),
    folder: z
      .string()
      .regex(/^\/$|^(\/(?!\.{1,2}(\/|$))[^/\0]{1,200})+$/, {
        error: "expected an absolute path of folders such as /backups, or / for the root",
      })
      .describe(
        "Absolute path of the folder, from the root of the account's own drive, of the shared drive `driveId` or of the folder " +
          "`folderId`; it is made if it does not exist. `/` is that root itself.",
      )
      .meta({ examples: ["/backups"] }),
    driveId: id("shared drive")
      .optional()
      .describe("Id of a shared drive, whose member the account is. Left out: the account's own drive.")
      .meta({ examples: ["0AFxYzAbCdEfGhUk9PVA"] }),
    folderId: id("folder")
      .optional()
      .describe("Id of a folder that `folder` starts from, for instance one that is shared with a service account.")
      .meta({ examples: ["1aBcDeFgHiJkLmNoPqRsTuVwXyZ012345"] }),
    clientId: z
      .string()
      .regex(/^[\w-]+\.apps\.googleusercontent\.com$/, {
        error: "expected the id of an OAuth client, which ends with .apps.googleusercontent.com",
      })
      .optional()
      .describe("Id of the OAuth client (Google Auth Platform, Clients) that the refresh token was made with.")
      .meta({ examples: ["123456789012-a1b2c3d4e5f6.apps.googleusercontent.com"] }),
    clientSecret: SecretRef.optional().describe("Secret of the OAuth client."),
    refreshToken: SecretRef.optional().describe(
      "Refresh token of the account whose drive is written to, with the scope https://www.googleapis.com/auth/drive.file.",
    ),
    serviceAccountKey: SecretRef.optional().describe(
      "JSON key of a service account, in the place of clientId, clientSecret and refreshToken. It has no storage of its own: " +
        "give it a shared drive, or a person of your Workspace to act for (`impersonate`).",
    ),
    impersonate: z
      .email({ error: "expected the e-mail address of a user" })
      .optional()
      .describe(
        "E-mail address of the user of a Workspace in whose name the service account acts; the admin must have allowed it " +
          "(domain-wide delegation) for the scope https://www.googleapis.com/auth/drive. Default: nobody.",
      )
      .meta({ examples: ["backups@example.com"] }),
    ...storageFields,
    ...retryFields,
  })
  .refine(
    ({ clientId, clientSecret, refreshToken, serviceAccountKey }) => {
      const given = [clientId, clientSecret, refreshToken].filter((field) => field !== undefined).length;
      return given === (serviceAccountKey === undefined ? 3 : 0);
    },
    { error: "expected either clientId, clientSecret and refreshToken, or serviceAccountKey" },
  )
  .refine(({ driveId, folderId }) => driveId === undefined || folderId === undefined, {
    error: "expected driveId or folderId, not both: a folder's drive is found by itself",
  })
  .refine(({ impersonate, serviceAccountKey }) => impersonate === undefined || serviceAccountKey !== undefined, {
    error: "expected serviceAccountKey with impersonate",
  });

/** The configuration of a Google Drive. */
export type GoogleDriveConfig = z.output<typeof googleDriveSchema>;

/** The credentials that the configuration and its secrets hold. `CONFIG` where one is empty. */
export function credentialsOf(
  { clientId, serviceAccountKey, impersonate }: GoogleDriveConfig,
  secrets: Readonly<Record<string, string>>,
): Credentials {
  const secret = (field: "clientSecret" | "refreshToken" | "serviceAccountKey") => {
    const value = secrets[field];
    if (value !== undefined && value !== "") return value;
    throw new ProviderError("CONFIG", `${field} of the storage of kind google-drive is empty.`, {
      fix: `Set the secret that ${field} refers to; docs/stores.md says how to get one.`,
    });
  };
  if (serviceAccountKey !== undefined) return serviceAccount(secret("serviceAccountKey"), impersonate);
  return {
    kind: "user",
    clientId: clientId ?? "",
    clientSecret: secret("clientSecret"),
    refreshToken: secret("refreshToken"),
  };
}
