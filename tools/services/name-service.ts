import { createSocket } from "node:dgram";
import { once } from "node:events";

/** The addresses of a name; a kind that is not given has none. */
interface Addresses {
  readonly A?: string;
  readonly AAAA?: string;
}

/** A running name service. */
export interface NameService {
  /** As `dns.setServers` takes it. */
  readonly address: string;
  stop(): Promise<void>;
}

/** Starts a name service (RFC 1035, over UDP) that knows some names and says of all others that there are none such. */
export async function startNameService(names: Readonly<Record<string, Addresses>>): Promise<NameService> {
  const socket = createSocket("udp4");
  socket.on("message", (question, from) => {
    socket.send(answer(question, names), from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    address: `127.0.0.1:${socket.address().port}`,
    stop: async () => {
      socket.close();
      await once(socket, "close");
    },
  };
}

function answer(question: Buffer, names: Readonly<Record<string, Addresses>>): Buffer {
  const labels: string[] = [];
  let at = 12;
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = question.readUInt16BE(at + 1);
  const asked = question.subarray(12, at + 5);
  const known = names[labels.join(".").toLowerCase()];
  const address = type === 1 ? known?.A?.split(".").map(Number) : type === 28 ? bytesOf(known?.AAAA) : undefined;
  const header = Buffer.alloc(12);
  question.copy(header, 0, 0, 2);
  // An answer, with recursion; 3 says that there is no such name.
  header.writeUInt16BE(0x8180 | (known === undefined ? 3 : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(address === undefined ? 0 : 1, 6);
  if (address === undefined) return Buffer.concat([header, asked]);
  const record = Buffer.alloc(12);
  record.writeUInt16BE(0xc00c, 0);
  record.writeUInt16BE(type, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(60, 6);
  record.writeUInt16BE(address.length, 10);
  return Buffer.concat([header, asked, record, Buffer.from(address)]);
}

function bytesOf(address: string | undefined): number[] | undefined {
  if (address === undefined) return undefined;
  const [left = "", right = ""] = address.split("::");
  const groups = (text: string): number[] =>
    text.split(":").flatMap((group) => (group === "" ? [] : [parseInt(group, 16)]));
  const [before, after] = [groups(left), groups(right)];
  const all = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
  return all.flatMap((group) => [group >> 8, group & 255]);
}
