import { ProviderError } from "../../errors.ts";

/**
 * A path as it stands in a URL: the SDK writes paths into URLs as they are, and a `?` or a `#` would end them. `CONFIG` for one
 * that would name another file: anything that handles URLs resolves `.` and `..`, escaped or not, and the SDK takes a first `/` away.
 */
export function inUrl(path: string): string {
  const segments = path.split("/");
  if (segments[0] === "" || segments.includes(".") || segments.includes("..")) {
    throw new ProviderError("CONFIG", `No URL of the service can name the file ${JSON.stringify(path)}.`, {
      fix: "Give it a name that neither begins with '/' nor has '.' or '..' for a segment.",
    });
  }
  return segments.map(encodeURIComponent).join("/");
}
