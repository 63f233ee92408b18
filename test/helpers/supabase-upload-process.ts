/**
 * Uploads a stream of unknown length to a Supabase project in a process of its own, to measure its memory:
 * `supabase-upload-process.ts URL BUCKET KEY MIB`, with the project's key in SUPABASE_KEY. Prints `{ seconds, peakMiB }` as
 * JSON.
 */
import { supabase } from "../../providers/storage/supabase.ts";
import { measureUpload } from "./measured-upload.ts";

const [url, bucket, name = "", size] = process.argv.slice(2);
const { SUPABASE_KEY: key = "" } = process.env;
const config = supabase.schema.parse({ kind: "supabase", url, bucket, key: { env: "SUPABASE_KEY" } });
const storage = await supabase.create(config, { secrets: { key } });
await measureUpload(storage, name, Number(size));
