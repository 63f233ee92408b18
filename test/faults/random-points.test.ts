import { afterEach, describe, it } from "vitest";
import type { StorageSubject } from "../contract/storage.ts";
import { failAtRandomPoints, SEED, stallAtRandomPoints } from "../helpers/random-points.ts";
import * as filesystem from "../helpers/stores/filesystem.ts";
import * as googleDrive from "../helpers/stores/google-drive.ts";
import * as s3 from "../helpers/stores/s3.ts";

const POINTS = 100;

/** Each way in which providers write an object: all others are one of these, and keep the contract at fewer points. */
const ways = [
  ["into a file", filesystem.openFolder, filesystem.capabilities],
  ["in parts, several at a time, or in one request", s3.openBucket, s3.capabilities],
  ["in a session, one part after the other", googleDrive.openDrive, googleDrive.capabilities],
] as const;

describe.each(ways)(`an upload %s, at any of ${POINTS} points (seed ${SEED})`, (_way, open, { chunkBytes }) => {
  let subject: StorageSubject;
  const use = async (stallTimeoutSeconds: number) => {
    subject = await open({ stallTimeoutSeconds });
  };
  afterEach(async () => {
    await subject.storage.close();
    await subject.dispose();
  });

  it("where its source fails, neither hangs nor leaves anything", { timeout: 300_000 }, async () => {
    await use(60);
    await failAtRandomPoints(subject, chunkBytes, POINTS);
  });

  it("where its source stalls, neither hangs nor leaves anything", { timeout: 300_000 }, async () => {
    await use(1);
    await stallAtRandomPoints(subject, chunkBytes, POINTS);
  });
});
