import { describeStorageContract } from "../../../contract/storage.ts";
import { capabilities, openFolder } from "../../../helpers/stores/filesystem.ts";

describeStorageContract("filesystem", openFolder, capabilities);
