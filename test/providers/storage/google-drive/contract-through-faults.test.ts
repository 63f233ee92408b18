import { describeStorageContract } from "../../../contract/storage.ts";
import { capabilities, openFaultyDrive } from "../../../helpers/stores/google-drive.ts";

describeStorageContract(
  "google-drive with a service account in a shared drive, through faults",
  openFaultyDrive,
  // What is made before an answer is lost is found by its id: a lie about it stays unnoticed here, and is found above. Bytes that
  // are sent twice count twice.
  { ...capabilities, lies: [] },
);
