import { describe, expect, it } from "vitest";
import { placeOf, StorageConfig } from "../../providers/storage/index.ts";

const place = (config: object) => placeOf(StorageConfig.parse(config));

const s3 = { kind: "s3", bucket: "backups", prefix: "a" };
const dropbox = { kind: "dropbox", folder: "/Backups", appKey: "abcdefgh1", refreshToken: { secret: "token" } };
const drive = {
  kind: "google-drive",
  folder: "/backups",
  folderId: "abc_123-XYZ",
  serviceAccountKey: { secret: "key" },
};
const supabase = {
  kind: "supabase",
  url: "https://abcdefghijklmnopqrst.supabase.co",
  bucket: "b",
  key: { secret: "key" },
};

describe("one place in two configurations", () => {
  it.each([
    ["a path with a slash at its end", { kind: "filesystem", path: "/srv/a" }, { kind: "filesystem", path: "/srv/a/" }],
    ["a prefix in the path", { kind: "filesystem", path: "/a", prefix: "b" }, { kind: "filesystem", path: "/a/b" }],
    ["a bucket with other tunables", s3, { ...s3, stallTimeoutSeconds: 60, region: "eu-central-1" }],
    ["a folder of Dropbox in another case", dropbox, { ...dropbox, folder: "/backups", retrySeconds: 9 }],
    [
      "a folder of Google Drive",
      drive,
      { ...drive, folder: "/", prefix: "backups", serviceAccountKey: { secret: "other" } },
    ],
    ["a bucket of Supabase", supabase, { ...supabase, url: `${supabase.url}/`, key: { secret: "other" } }],
  ])("is recognised: %s", (_name, one, other) => {
    expect(place(one)).toBe(place(other));
  });

  it.each([
    ["another path", { kind: "filesystem", path: "/srv/a" }, { kind: "filesystem", path: "/srv/b" }],
    ["another prefix", { kind: "filesystem" }, { kind: "filesystem", prefix: "b" }],
    ["another bucket", s3, { ...s3, bucket: "other" }],
    ["another service", s3, { ...s3, endpoint: "https://s3.example.com" }],
    ["another account", dropbox, { ...dropbox, refreshToken: { secret: "other" } }],
    ["another folder", drive, { ...drive, folderId: "other_123-XYZ" }],
    ["another project", supabase, { ...supabase, url: "https://zyxwvutsrqponmlkjihg.supabase.co" }],
    ["another kind", s3, supabase],
  ])("is not: %s", (_name, one, other) => {
    expect(place(one)).not.toBe(place(other));
  });
});
