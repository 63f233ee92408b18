import { describeStorageContract } from "../../../contract/storage.ts";
import { capabilities, openBucket } from "../../../helpers/stores/supabase-s3.ts";

describeStorageContract("supabase by S3", openBucket, capabilities);
