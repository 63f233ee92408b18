import type { S3, S3ClientConfig } from "@aws-sdk/client-s3";

/** Milliseconds that a connection may take. */
const CONNECT_MS = 10_000;

/** Where the service is, and who asks. */
export interface ClientSettings {
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  readonly forcePathStyle: boolean | undefined;
  /** Left out: the SDK's own chain (environment, profile, container, machine). */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
}

/** The SDK's client, without those of its habits that are ours: it neither tries again, nor prints, nor checks downloads. */
export async function createClient(settings: ClientSettings): Promise<S3> {
  const sdk = await import("@aws-sdk/client-s3");
  const quiet = () => undefined;
  const logger = { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet };
  const { endpoint, credentials } = settings;
  // A service of one's own has no regions, but a signature must name one.
  const region = settings.region ?? (endpoint === undefined ? undefined : "us-east-1");
  const config: S3ClientConfig = {
    ...(region !== undefined && { region }),
    // Compatible services seldom have a host name for each bucket.
    ...(endpoint !== undefined && { endpoint, forcePathStyle: settings.forcePathStyle ?? true }),
    ...(settings.forcePathStyle !== undefined && { forcePathStyle: settings.forcePathStyle }),
    ...(credentials !== undefined && { credentials }),
    maxAttempts: 1,
    logger,
    requestHandler: { connectionTimeout: CONNECT_MS, logger },
    // It would hide a wrong clock, by which backups are named, and only from the second request on.
    disableClockSkewCorrection: true,
    // With it, every part would open a connection of its own.
    expectContinueHeader: false,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  };
  const s3 = new sdk.S3(config);
  // Asked for in the input, the SDK would check the stream itself, and could not where a download goes on at an offset.
  s3.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        const { request } = args as { request: { headers: Record<string, string> } };
        if (commandName === "GetObjectCommand") request.headers["x-amz-checksum-mode"] = "ENABLED";
        return next(args);
      },
    { step: "build", name: "askForChecksum" },
  );
  return s3;
}
