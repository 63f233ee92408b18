import { describeStorageContract } from "../../../contract/storage.ts";
import { capabilities, openDropbox } from "../../../helpers/stores/dropbox.ts";

describeStorageContract("dropbox", openDropbox, capabilities);
