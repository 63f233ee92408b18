import { crc32 } from "node:zlib";
import type {
  CompletedPart,
  CompleteMultipartUploadCommandInput,
  CreateMultipartUploadCommandInput,
  PutObjectCommandInput,
} from "@aws-sdk/client-s3";
import { fits, md5, PartTags } from "../../transfer/part-tags.ts";
import { checksumHeader } from "./checksum.ts";

/** How an upload makes sure that the store has the bytes that were sent. */
export interface Proof {
  /** Bytes that were sent so far. */
  readonly size: number;
  /** The CRC-32 of all of them; undefined where it was not computed. */
  readonly crc: number | undefined;
  /** Takes the object as a whole, and returns what is sent with it. */
  whole(bytes: Buffer): Pick<PutObjectCommandInput, "ChecksumCRC32" | "ChecksumAlgorithm">;
  /** Sent with the request that begins an upload in parts. */
  readonly begin: Pick<CreateMultipartUploadCommandInput, "ChecksumAlgorithm" | "ChecksumType">;
  /** Takes the next part, whose number counts from 1, and returns what is sent with it. */
  part(number: number, bytes: Buffer): Pick<CompletedPart, "ChecksumCRC32">;
  /** Whether a part's tag says that other bytes arrived. */
  contradicts(number: number, tag: string | undefined): boolean;
  /** Sent with the request that makes an object of the parts. */
  readonly complete: Pick<CompleteMultipartUploadCommandInput, "ChecksumCRC32" | "ChecksumType">;
  /** What the object's tag says of its bytes. `unknown`: only reading them tells. */
  compare(tag: string | undefined): "same" | "different" | "unknown";
}

/** CRC-32 checksums, which the service compares itself. */
export class Checksums implements Proof {
  readonly begin = { ChecksumAlgorithm: "CRC32", ChecksumType: "FULL_OBJECT" } as const;
  size = 0;
  crc = 0;

  whole(bytes: Buffer) {
    this.#add(bytes);
    // Where the bucket locks new objects, S3 requires the algorithm beside the checksum.
    return { ChecksumCRC32: checksumHeader(this.crc), ChecksumAlgorithm: "CRC32" } as const;
  }

  part(_number: number, bytes: Buffer) {
    this.#add(bytes);
    return { ChecksumCRC32: checksumHeader(crc32(bytes)) };
  }

  contradicts(): boolean {
    return false;
  }

  get complete() {
    return { ChecksumType: "FULL_OBJECT", ChecksumCRC32: checksumHeader(this.crc) } as const;
  }

  compare() {
    return "same" as const;
  }

  #add(bytes: Buffer): void {
    this.size += bytes.length;
    this.crc = crc32(bytes, this.crc);
  }
}

/** The tags of a service that keeps no checksums: most are MD5s. */
export class Tags implements Proof {
  readonly begin = {};
  readonly complete = {};
  readonly #parts = new PartTags();
  #whole: Buffer | undefined;
  size = 0;
  crc: number | undefined;

  whole(bytes: Buffer) {
    this.#whole = bytes;
    this.size = bytes.length;
    this.crc = crc32(bytes);
    return {};
  }

  part(number: number, bytes: Buffer) {
    this.size += bytes.length;
    this.#parts.sent(number, bytes);
    return {};
  }

  contradicts(number: number, tag: string | undefined): boolean {
    return this.#parts.ofPart(number, tag) === "different";
  }

  compare(tag: string | undefined) {
    if (this.#whole !== undefined) return fits(tag, md5(this.#whole)) ? "same" : "unknown";
    // A large object with an unknown kind of tag is not read here: the run's verification reads it.
    return this.#parts.ofWhole(tag) === "different" ? "different" : "same";
  }
}
