import { createHash, createPrivateKey, createPublicKey, sign, type KeyObject } from "node:crypto";

/** What a signature is for: one that was made for anything else proves no report. */
export const NAMESPACE = "provision-report";

/** What stands before the 32 bytes of an Ed25519 private key in PKCS #8 (RFC 8410). */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** Bytes of a public key of Ed25519, at the end of its SPKI form. */
const PUBLIC_BYTES = 32;

/** Characters of a line of a signature file. */
const LINE = 70;

/** A signature that `ssh-keygen -Y verify` checks, and who can have made it. */
export interface ReportSigner {
  /** The line of a file of allowed signers: everybody who has it can check reports, and nobody can sign with it. */
  readonly allowedSigner: string;
  /** The content of the file of a detached signature. */
  sign(report: Buffer): string;
}

/**
 * Signs reports with a key of Ed25519.
 *
 * @param seed its 32 bytes, which are secret
 * @param identity whom the reports are of; a word without blanks
 */
export function reportSigner(seed: Buffer, identity: string): ReportSigner {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" });
  const publicKey = publicKeyOf(key);
  return {
    allowedSigner: `${identity} namespaces="${NAMESPACE}" ssh-ed25519 ${publicKey.toString("base64")}`,
    sign: (report) => armored(signatureOf(key, publicKey, report)),
  };
}

/** As SSH writes a public key. */
function publicKeyOf(key: KeyObject): Buffer {
  const bytes = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-PUBLIC_BYTES);
  return Buffer.concat([field("ssh-ed25519"), field(bytes)]);
}

/** A signature of OpenSSH's format SSHSIG, version 1: what is signed names its purpose and the hash of the message. */
function signatureOf(key: KeyObject, publicKey: Buffer, message: Buffer): Buffer {
  const common = [field(NAMESPACE), field(""), field("sha512")];
  const hash = createHash("sha512").update(message).digest();
  const signed = Buffer.concat([Buffer.from("SSHSIG"), ...common, field(hash)]);
  const signature = Buffer.concat([field("ssh-ed25519"), field(sign(null, signed, key))]);
  return Buffer.concat([Buffer.from("SSHSIG"), uint32(1), field(publicKey), ...common, field(signature)]);
}

function armored(bytes: Buffer): string {
  const text = bytes.toString("base64");
  const lines = text.match(new RegExp(`.{1,${LINE}}`, "g")) ?? [];
  return ["-----BEGIN SSH SIGNATURE-----", ...lines, "-----END SSH SIGNATURE-----", ""].join("\n");
}

/** A length and that many bytes. */
function field(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
