import type { Readable, Writable } from "node:stream";
import { abortedError, ProviderError, toProviderError } from "../errors.ts";

/**
 * Moves all bytes of the source into the sink. Ends with an error as soon as either fails or is closed before its end, or the
 * signal is aborted, and destroys both then.
 *
 * Node's own `pipeline` does not serve: it waits for a source to close, which one that hangs never does, and it takes a
 * source that is destroyed right after its last byte for a complete one.
 */
export function pump(source: Readable, sink: Writable, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: ProviderError) => {
      signal.removeEventListener("abort", onAbort);
      source.off("error", onSourceError).off("close", onSourceClose).off("end", onSourceEnd);
      sink.off("close", onSinkClose);
      if (error === undefined) {
        resolve();
        return;
      }
      source.unpipe(sink).destroy();
      sink.destroy();
      reject(error);
    };
    const onAbort = () => {
      settle(abortedError(signal));
    };
    const onSourceError = (error: unknown) => {
      settle(toProviderError(error));
    };
    const onSourceClose = () => {
      if (!source.readableEnded) settle(closedEarly(source));
    };
    const onSourceEnd = () => {
      // A stream that was destroyed may still emit `end`; one that ends by itself is destroyed after it.
      if (source.destroyed) settle(closedEarly(source));
    };
    const onSinkClose = () => {
      settle(new ProviderError("ABORTED", "What takes the upload was closed before its end."));
    };
    if (signal.aborted) {
      onAbort();
    } else if (source.destroyed || source.readableEnded) {
      settle(closedEarly(source));
    } else {
      signal.addEventListener("abort", onAbort, { once: true });
      source.on("error", onSourceError).on("close", onSourceClose).on("end", onSourceEnd);
      sink.on("error", (error) => {
        settle(toProviderError(error));
      });
      sink.on("close", onSinkClose).on("finish", () => {
        settle();
      });
      source.pipe(sink);
    }
  });
}

function closedEarly(source: Readable): ProviderError {
  if (source.errored !== null) return toProviderError(source.errored);
  return new ProviderError("ABORTED", "The source of the upload was closed before its end.");
}
