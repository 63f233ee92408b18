import { describeStorageContract } from "../../../contract/storage.ts";
import { capabilities, openBucket } from "../../../helpers/stores/s3.ts";

describeStorageContract("s3", openBucket, capabilities);
