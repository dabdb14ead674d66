// Finds frames that leave more than once. Much may: multicast DNS asks three
// times for a name, a check of ICE is repeated with its transaction. A DTLS
// record may not, since what is sent again is sealed again, with a number of its
// own (RFC 6347, Section 4.1): if one does, a driver or a model repeats frames.

const UDP = 17;
const [FIRST, LAST] = [20, 63];

export class Repeats {
  #times = new Map();

  // A frame of Ethernet: how often it was sent, this time included; 0 if it
  // carries no DTLS.
  sent(frame) {
    if (frame.length < 43 || frame.readUInt16BE(12) !== 0x0800 || frame[23] !== UDP) return 0;
    const payload = frame.subarray(14 + (frame[14] & 0xf) * 4 + 8);
    if (!(payload[0] >= FIRST && payload[0] <= LAST)) return 0;
    const key = frame.toString("latin1");
    const times = (this.#times.get(key) ?? 0) + 1;
    this.#times.set(key, times);
    return times;
  }
}
