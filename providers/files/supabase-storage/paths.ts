/** A path as it stands in a URL: the SDK writes paths into URLs as they are, and a `?` or a `#` would end them. */
export function inUrl(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}
