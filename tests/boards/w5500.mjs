// A W5500 with its SPI (datasheet 1.1.0, Sections 2 to 4), as far as a driver in
// MACRAW mode sees it: the common registers, socket 0 with all 16 KiB of both
// buffers, and the interrupt pin.

const READ_ONLY = { version: 0x39, phy: 0x2e };
const COMMON = { mode: 0x00, mac: 0x09, socketInterruptMask: 0x18 };
const SOCKET = {
  mode: 0x00,
  command: 0x01,
  interrupt: 0x02,
  status: 0x03,
  txFree: 0x20,
  txRead: 0x22,
  txWrite: 0x24,
  rxSize: 0x26,
  rxRead: 0x28,
  rxWrite: 0x2a,
  interruptMask: 0x2c,
};
const OPEN = 0x01;
const CLOSE = 0x10;
const SEND = 0x20;
const RECEIVE = 0x40;
const RECEIVED = 1 << 2;
const SENT = 1 << 4;
const MACRAW = 4;
const STATUS_MACRAW = 0x42;
const FILTER = 1 << 7;
const BLOCK_MULTICAST = 1 << 5;
const BUFFER = 0x4000;
// What "Block Select Bits" choose.
const [BLOCK_COMMON, BLOCK_SOCKET, BLOCK_TX, BLOCK_RX] = [0, 1, 2, 3];

export class W5500 {
  // Frames that found no room.
  dropped = 0;
  #isSelected = false;
  #at = 0;

  // `send` gets each frame that leaves; `interrupt` the level of the pin.
  constructor(send, interrupt) {
    Object.assign(this, { send, interrupt });
    this.reset();
  }

  reset() {
    this.common = Buffer.alloc(0x40);
    this.common[READ_ONLY.version] = 4;
    // Link up, 100 Mbit/s, full duplex.
    this.common[READ_ONLY.phy] = 0xbf;
    this.socket = Buffer.alloc(0x30);
    this.socket[SOCKET.interruptMask] = 0xff;
    this.tx = Buffer.alloc(BUFFER);
    this.rx = Buffer.alloc(BUFFER);
    this.socket.writeUInt16BE(BUFFER, SOCKET.txFree);
    this.#tellInterrupt();
  }

  // The level of chip select: a frame of SPI begins when it falls.
  select(isHigh) {
    this.#isSelected = !isHigh;
    this.#at = 0;
  }

  // One octet in, one octet out: address, control, and data whose address
  // grows.
  transfer(octet) {
    if (!this.#isSelected) return 0xff;
    const at = this.#at;
    this.#at += 1;
    if (at === 0) this.address = octet << 8;
    else if (at === 1) this.address |= octet;
    else if (at === 2) this.control = octet;
    else {
      const address = (this.address + at - 3) & 0xffff;
      const block = this.control >> 3;
      if (!(this.control & 4)) return this.#read(block, address);
      this.#write(block, address, octet);
    }
    return 0;
  }

  #read(block, address) {
    if (block === BLOCK_COMMON) return this.common[address] ?? 0;
    if (block === BLOCK_SOCKET) return this.socket[address] ?? 0;
    if (block === BLOCK_TX) return this.tx[address % BUFFER];
    return block === BLOCK_RX ? this.rx[address % BUFFER] : 0;
  }

  #write(block, address, octet) {
    if (block === BLOCK_TX) this.tx[address % BUFFER] = octet;
    else if (block === BLOCK_COMMON) this.#writeCommon(address, octet);
    else if (block === BLOCK_SOCKET) this.#writeSocket(address, octet);
  }

  #writeCommon(address, octet) {
    if (address === COMMON.mode && octet & 0x80) return this.reset();
    if (!Object.values(READ_ONLY).includes(address) && address < this.common.length) this.common[address] = octet;
    this.#tellInterrupt();
  }

  #writeSocket(address, octet) {
    if (address === SOCKET.command) this.#command(octet);
    // Written ones clear.
    else if (address === SOCKET.interrupt) this.socket[address] &= ~octet;
    else if (address < this.socket.length) this.socket[address] = octet;
    this.#tellInterrupt();
  }

  #command(command) {
    const { socket } = this;
    switch (command) {
      case OPEN:
        socket[SOCKET.status] = (socket[SOCKET.mode] & 0xf) === MACRAW ? STATUS_MACRAW : 0;
        break;
      case CLOSE:
        socket[SOCKET.status] = 0;
        break;
      case SEND: {
        const [from, to] = [socket.readUInt16BE(SOCKET.txRead), socket.readUInt16BE(SOCKET.txWrite)];
        const frame = Buffer.alloc((to - from) & 0xffff);
        for (let i = 0; i < frame.length; i += 1) frame[i] = this.tx[(from + i) % BUFFER];
        socket.writeUInt16BE(to, SOCKET.txRead);
        socket[SOCKET.interrupt] |= SENT;
        this.send(frame);
        break;
      }
      case RECEIVE:
        this.#measure();
        // What is still there is told again.
        if (socket.readUInt16BE(SOCKET.rxSize) > 0) socket[SOCKET.interrupt] |= RECEIVED;
        break;
      default:
    }
  }

  // A frame from the network.
  receive(frame) {
    const { socket } = this;
    if (socket[SOCKET.status] !== STATUS_MACRAW || !this.#isForUs(frame)) return;
    const length = frame.length + 2;
    if (socket.readUInt16BE(SOCKET.rxSize) + length > BUFFER) {
      this.dropped += 1;
      return;
    }
    const at = socket.readUInt16BE(SOCKET.rxWrite);
    // "Packet info": the length, itself included.
    this.rx[at % BUFFER] = length >> 8;
    this.rx[(at + 1) % BUFFER] = length & 0xff;
    for (let i = 0; i < frame.length; i += 1) this.rx[(at + 2 + i) % BUFFER] = frame[i];
    socket.writeUInt16BE((at + length) & 0xffff, SOCKET.rxWrite);
    this.#measure();
    socket[SOCKET.interrupt] |= RECEIVED;
    this.#tellInterrupt();
  }

  #isForUs(frame) {
    const mode = this.socket[SOCKET.mode];
    if (!(mode & FILTER)) return true;
    const to = frame.subarray(0, 6);
    if (to.every((octet) => octet === 0xff) || to.equals(this.common.subarray(COMMON.mac, COMMON.mac + 6))) return true;
    return (to[0] & 1) === 1 && !(mode & BLOCK_MULTICAST);
  }

  #measure() {
    const [read, write] = [this.socket.readUInt16BE(SOCKET.rxRead), this.socket.readUInt16BE(SOCKET.rxWrite)];
    this.socket.writeUInt16BE((write - read) & 0xffff, SOCKET.rxSize);
  }

  #tellInterrupt() {
    const isOn = this.socket[SOCKET.interrupt] & this.socket[SOCKET.interruptMask] && this.common[COMMON.socketInterruptMask] & 1;
    // The pin is active low.
    this.interrupt(!isOn);
  }
}
