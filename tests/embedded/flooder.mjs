// A peer that gets through ICE as it should, and then does nothing but send
// ClientHellos along the path that it has proved.
import { createHmac, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";

const COOKIE = Buffer.from("2112a442", "hex");
const [REQUEST, RESPONSE] = [0x0001, 0x0101];
const [USERNAME, INTEGRITY, PRIORITY, USE_CANDIDATE] = [0x0006, 0x0008, 0x0024, 0x0025];
const [MAPPED, FINGERPRINT, CONTROLLING] = [0x0020, 0x8028, 0x802a];

const number = (value, octets) => {
  const out = Buffer.alloc(octets);
  out.writeUIntBE(value, 0, octets);
  return out;
};

function crc32(octets) {
  let crc = ~0;
  for (const octet of octets) {
    crc ^= octet;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

// A STUN message (RFC 8489) with its integrity and its fingerprint.
function stun(type, transaction, attributes, password) {
  let message = Buffer.concat([number(type, 2), number(0, 2), COOKIE, transaction]);
  const add = (kind, value) => {
    message = Buffer.concat([message, number(kind, 2), number(value.length, 2), value, Buffer.alloc(-value.length & 3)]);
  };
  const seal = (kind, length, value) => {
    message.writeUInt16BE(message.length - 20 + 4 + length, 2);
    add(kind, value(message));
  };
  for (const [kind, value] of attributes) add(kind, value);
  seal(INTEGRITY, 20, (text) => createHmac("sha1", password).update(text).digest());
  seal(FINGERPRINT, 4, (text) => number((crc32(text) ^ 0x5354554e) >>> 0, 4));
  return message;
}

const vector = (length, ...parts) => {
  const all = Buffer.concat(parts);
  return Buffer.concat([number(all.length, length), all]);
};
const hex = (text) => Buffer.from(text.replaceAll(" ", ""), "hex");

// A ClientHello of DTLS 1.2 that a server would answer.
function clientHello() {
  const extensions = [
    ["000a", vector(2, hex("001d 0017"))],
    ["000b", vector(1, hex("00"))],
    ["000d", vector(2, hex("0403"))],
    ["0017", Buffer.alloc(0)],
  ].map(([kind, body]) => Buffer.concat([hex(kind), vector(2, body)]));
  const suites = vector(2, hex("cca9 c02b"));
  return Buffer.concat([hex("fefd"), randomBytes(32), hex("00 00"), suites, vector(1, hex("00")), vector(2, ...extensions)]);
}

// One fragment of a handshake message in one record.
function record(sequence, { message = 0, body, length = body.length, offset = 0 }) {
  const head = Buffer.concat([hex("01"), number(length, 3), number(message, 2), number(offset, 3), number(body.length, 3)]);
  return Buffer.concat([hex("16 fefd 0000"), number(sequence, 6), vector(2, head, body)]);
}

export class Flooder {
  #answered = null;
  // Datagrams that came: the device's own flights.
  flights = 0;

  static async bind(address) {
    const flooder = new Flooder();
    flooder.address = address;
    flooder.socket = createSocket("udp4");
    await new Promise((bound) => flooder.socket.bind(0, address, bound));
    flooder.ufrag = randomBytes(4).toString("hex");
    flooder.password = randomBytes(16).toString("hex");
    flooder.socket.on("message", (data, from) => flooder.#heard(data, from));
    return flooder;
  }

  // The device is to be the server: `setup:active`.
  offer() {
    const fingerprint = randomBytes(32).toString("hex").toUpperCase().match(/../g).join(":");
    return [
      "v=0",
      "o=- 1 1 IN IP4 0.0.0.0",
      "s=-",
      "t=0 0",
      "a=group:BUNDLE 0",
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
      "c=IN IP4 0.0.0.0",
      "a=mid:0",
      "a=setup:active",
      `a=ice-ufrag:${this.ufrag}`,
      `a=ice-pwd:${this.password}`,
      `a=fingerprint:sha-256 ${fingerprint}`,
      "a=sctp-port:5000",
      "a=max-message-size:1024",
      `a=candidate:1 1 udp 2113937151 ${this.address} ${this.socket.address().port} typ host`,
      "a=end-of-candidates",
      "",
    ].join("\r\n");
  }

  // Proves the path to the device that gave this answer.
  async connect(answer) {
    const value = (pattern) => pattern.exec(answer)[1];
    this.theirs = { ufrag: value(/^a=ice-ufrag:(\S+)/m), password: value(/^a=ice-pwd:(\S+)/m) };
    const [, host, port] = /^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host/im.exec(answer);
    this.peer = { host, port: Number(port) };
    const nominated = new Promise((resolve) => (this.#answered = resolve));
    this.#check();
    // Consent, as long as it lasts.
    this.checks = setInterval(() => this.#check(), 500);
    await nominated;
  }

  #check() {
    const attributes = [
      [USERNAME, Buffer.from(`${this.theirs.ufrag}:${this.ufrag}`)],
      [PRIORITY, number(1845501695, 4)],
      [CONTROLLING, Buffer.alloc(8, 0xff)],
      [USE_CANDIDATE, Buffer.alloc(0)],
    ];
    this.send(stun(REQUEST, randomBytes(12), attributes, this.theirs.password));
  }

  #heard(data, { address, port }) {
    if (data[0] > 3) {
      this.flights += 1;
      return;
    }
    const type = data.readUInt16BE(0);
    if (type === RESPONSE) this.#answered?.();
    if (type !== REQUEST) return;
    const mapped = Buffer.concat([hex("0001"), number(port ^ 0x2112, 2), Buffer.from(address.split(".").map((octet, i) => octet ^ COOKIE[i]))]);
    // It may ask before its answer was read.
    this.socket.send(stun(RESPONSE, data.subarray(8, 20), [[MAPPED, mapped]], this.password), port, address);
  }

  send(datagram) {
    return new Promise((resolve) => this.socket.send(datagram, this.peer.port, this.peer.host, resolve));
  }

  // `count` of them: whole ones, each another; ones cut into pieces of which one
  // is missing; ones out of turn; and one that claims to be 16 MiB long.
  async flood(count) {
    for (let i = 0; i < count; i += 1) {
      const body = clientHello();
      const kinds = [
        { body },
        { body: body.subarray(40), length: body.length, offset: 40 },
        { body, message: 1 + (i % 200) },
        { body, length: 0xffffff },
      ];
      await this.send(record(i, kinds[i % kinds.length]));
      // As fast as a radio might be.
      if (i % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  close() {
    clearInterval(this.checks);
    this.socket.close();
  }
}
