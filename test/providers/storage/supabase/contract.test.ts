import { describeStorageContract } from "../../../contract/storage.ts";
import { capabilities, openSupabase } from "../../../helpers/stores/supabase.ts";

describeStorageContract("supabase", openSupabase, capabilities);
