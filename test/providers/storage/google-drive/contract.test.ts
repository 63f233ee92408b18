import { describeStorageContract } from "../../../contract/storage.ts";
import { capabilities, openDrive } from "../../../helpers/stores/google-drive.ts";

describeStorageContract("google-drive", openDrive, capabilities);
