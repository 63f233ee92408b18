/**
 * Sends the requests that this process makes to Google to a service on this machine: that of `GOOGLE_DRIVE_SERVICE`, or the
 * one that `redirectGoogleDrive` names. Loaded before a program (`node --import`), or by a test.
 *
 * The provider itself has no switch for it: anyone who could set one would get the refresh token.
 */
import http from "node:http";
import https from "node:https";
import type { RequestOptions } from "node:https";

const otherRequest = https.request;

let origin = process.env.GOOGLE_DRIVE_SERVICE;

/** From now on requests go to the service at this origin. */
export function redirectGoogleDrive(to: string): void {
  origin = to;
}

https.request = ((url: string, options: RequestOptions) => {
  const { protocol, hostname, pathname, search } = new URL(url);
  if (!hostname.endsWith(".googleapis.com")) return otherRequest(url, options);
  if (protocol !== "https:" || origin === undefined) throw new TypeError(`unexpected request to ${hostname}`);
  return http.request(`${origin}/${hostname}${pathname}${search}`, options);
}) as typeof https.request;
