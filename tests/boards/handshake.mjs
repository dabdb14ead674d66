// Follows how connections are made, on the wire and on the console: from the
// first check to the channel, with the longest time that a check of the peer's
// waited for its answer meanwhile.

const [BINDING_REQUEST, BINDING_RESPONSE] = [0x0001, 0x0101];
const MAGIC_COOKIE = 0x2112a442;
const UDP = 17;

// A STUN message in a frame: UDP over IPv4 over Ethernet.
function stun(frame) {
  if (frame.length < 62 || frame.readUInt16BE(12) !== 0x0800 || frame[23] !== UDP) return null;
  const message = frame.subarray(14 + (frame[14] & 0xf) * 4 + 8);
  if (message.length < 20 || message.readUInt32BE(4) !== MAGIC_COOKIE) return null;
  return { type: message.readUInt16BE(0), transaction: message.toString("hex", 8, 20) };
}

export class Handshake {
  #first = null;
  #asked = new Map();
  #longest = 0;

  // `now` says how many cycles the chip has computed, and its time.
  constructor(now) {
    this.now = now;
  }

  // A frame to the board.
  received(frame) {
    const message = stun(frame);
    if (message?.type !== BINDING_REQUEST) return;
    this.#first ??= this.now();
    this.#asked.set(message.transaction, this.now().nanos);
  }

  // A frame from the board.
  sent(frame) {
    const message = stun(frame);
    if (message?.type === BINDING_REQUEST) this.#first ??= this.now();
    const asked = this.#asked.get(message?.transaction);
    if (message?.type !== BINDING_RESPONSE || asked === undefined) return;
    this.#asked.delete(message.transaction);
    this.#longest = Math.max(this.#longest, this.now().nanos - asked);
  }

  // A line of the console. Returns what there is to say when a channel has opened.
  said(line) {
    if (/has left/.test(line)) this.#first = null;
    if (!/ChannelOpen after/.test(line) || !this.#first) return null;
    const { cycles, nanos } = this.now();
    const [millions, ms] = [(cycles - this.#first.cycles) / 1e6, (nanos - this.#first.nanos) / 1e6];
    const words = `${millions.toFixed(1)} M cycles from the first check to the channel, ${ms.toFixed(0)} ms; checks were answered within ${(this.#longest / 1e6).toFixed(1)} ms`;
    this.#first = null;
    this.#longest = 0;
    this.#asked.clear();
    return words;
  }
}
