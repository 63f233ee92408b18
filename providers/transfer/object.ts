/** An object as its store reports it. */
export interface StoredObject {
  /** Segments joined by `/`, never starting or ending with one. */
  readonly key: string;
  /** Size in bytes. */
  readonly size: number;
  /** When the object became visible. */
  readonly modified: Date;
  /**
   * What the store's own clock said when it took the object: of an upload that has just ended, to compare the clocks. Left out
   * by stores that do not say, and by `stat` and `list`.
   */
  readonly storeTime?: Date;
}

/** Options of `StorageProvider.upload`. */
export interface UploadOptions {
  /** Ends the upload; nothing stays visible. */
  readonly signal?: AbortSignal;
  /** A guess at the size in bytes, for stores that must choose a part size before they know it. */
  readonly sizeEstimate?: number;
  /** Called before a request is made again, after a failure that may pass. */
  readonly retried?: (() => void) | undefined;
}

/** Options of the methods that read or remove. */
export interface RequestOptions {
  readonly signal?: AbortSignal;
}

/** Options of `StorageProvider.download`. */
export interface DownloadOptions extends RequestOptions {
  /** Whether the bytes are to come from the medium even where this machine still holds them in memory. Default false. */
  readonly fromMedium?: boolean;
}
