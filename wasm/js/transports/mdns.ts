// The addresses behind names of multicast DNS that hide candidates (RFC 6762,
// draft-ietf-mmusic-mdns-ice-candidates): asked for over IPv4, through node:dgram.
import { type RemoteInfo, type Socket, createSocket } from "node:dgram";

const GROUP = "224.0.0.251";
const PORT = 5353;
/** Milliseconds after which a name is asked for again; at the last it is given up. */
const TIMES = [1000, 2000, 3000];
const [A, AAAA, IN] = [1, 28, 1];

/** Whether a name is one that hides a candidate: no others are asked for. */
export const isHidden = (name: string): boolean => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\.local$/i.test(name);

/** Names that are looked up at a time. */
const MOST = 64;

type Timer = ReturnType<typeof setTimeout> & { unref?(): void };

interface Waiting {
  name: string;
  settle(addresses: string[]): void;
  /** Puts the question, and again later. */
  ask(): void;
}

const waiting = new Set<Waiting>();
let socket: Socket | null = null;
let bound = false;

/** Asks on the links of the given addresses of ours. Rejects when nobody answers. */
export function lookupHidden(name: string, from: readonly string[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    if (waiting.size >= MOST) return reject(new Error(`${name}: too many names are being looked up`));
    const query = question(name);
    let [turn, timer]: [number, Timer | undefined] = [0, undefined];
    const end = (call: () => void) => {
      clearTimeout(timer);
      if (!waiting.delete(entry)) return;
      call();
      if (waiting.size === 0) close();
    };
    const entry: Waiting = {
      name: name.toLowerCase(),
      settle: (addresses) => end(() => resolve(addresses)),
      ask() {
        clearTimeout(timer);
        if (turn === TIMES.length) return end(() => reject(new Error(`${name}: no answer`)));
        send(query, from);
        timer = setTimeout(entry.ask, TIMES[turn++]) as Timer;
        // A program need not wait for it.
        timer.unref?.();
      },
    };
    waiting.add(entry);
    open(entry);
  });
}

// One socket for all who wait.
function open(entry: Waiting): void {
  if (bound) return entry.ask();
  if (socket) return;
  const made = createSocket({ type: "udp4", reuseAddr: true });
  socket = made;
  made.on("error", () => {
    if (socket === made) close();
    // Another is made when the next name is asked for; these hear nothing.
  });
  made.on("message", hear);
  made.bind(PORT, "0.0.0.0", () => {
    if (socket !== made) return;
    bound = true;
    attempt(() => made.unref());
    for (const each of waiting) each.ask();
  });
}

function close(): void {
  const closing = socket;
  socket = null;
  bound = false;
  attempt(() => closing?.close());
}

function send(query: Uint8Array, from: readonly string[]): void {
  for (const ip of from.filter(isIPv4)) {
    // It fails where it is a member already.
    attempt(() => socket?.addMembership(GROUP, ip));
    attempt(() => socket?.setMulticastInterface(ip));
    attempt(() => socket?.send(query, PORT, GROUP, () => {}));
  }
}

const isIPv4 = (ip: string) => !ip.includes(":");

// What a link or a platform does not have is done without.
function attempt(call: () => void): void {
  try {
    call();
  } catch {
    // The timer says that nobody answered.
  }
}

function question(name: string): Uint8Array {
  const labels = name.split(".").flatMap((label) => [label.length, ...new TextEncoder().encode(label)]);
  const ask = (type: number) => [...labels, 0, 0, type, 0, IN];
  return Uint8Array.from([0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, ...ask(A), ...ask(AAAA)]);
}

function hear(message: Uint8Array, { port }: RemoteInfo): void {
  // "MUST silently ignore any Multicast DNS responses they receive where the
  // source UDP port is not 5353" (RFC 6762, Section 6).
  if (port !== PORT) return;
  let answers: [string, string][];
  try {
    answers = read(message);
  } catch {
    return;
  }
  for (const entry of [...waiting]) {
    const addresses = answers.filter(([name]) => name === entry.name).map(([, address]) => address);
    if (addresses.length > 0) entry.settle([...new Set(addresses)]);
  }
}

// Names and addresses of a response. Reading beyond its end throws.
function read(message: Uint8Array): [string, string][] {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if ((view.getUint16(2) & 0xf800) !== 0x8000) return [];
  let at = 12;
  const name = (): string => {
    const labels: string[] = [];
    let [from, jumped] = [at, false];
    for (let steps = 0; steps < 64; steps++) {
      const length = view.getUint8(from);
      if (length >= 0xc0) {
        if (!jumped) at = from + 2;
        jumped = true;
        from = view.getUint16(from) & 0x3fff;
      } else if (length === 0) {
        if (!jumped) at = from + 1;
        return labels.join(".").toLowerCase();
      } else {
        labels.push(new TextDecoder().decode(message.subarray(from + 1, from + 1 + length)));
        from += 1 + length;
      }
    }
    throw new RangeError("a name without end");
  };
  for (let questions = view.getUint16(4); questions > 0; questions--) {
    name();
    at += 4;
  }
  const found: [string, string][] = [];
  for (let records = view.getUint16(6) + view.getUint16(8) + view.getUint16(10); records > 0; records--) {
    const owner = name();
    const [type, of, length] = [view.getUint16(at), view.getUint16(at + 2) & 0x7fff, view.getUint16(at + 8)];
    const data = at + 10;
    at = data + length;
    if (of !== IN) continue;
    if (type === A && length === 4) found.push([owner, [...message.subarray(data, at)].join(".")]);
    if (type === AAAA && length === 16) {
      const words = Array.from({ length: 8 }, (_, i) => view.getUint16(data + 2 * i).toString(16));
      found.push([owner, words.join(":")]);
    }
  }
  return found;
}
