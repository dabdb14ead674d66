// The hub of both relays, over any RTCPeerConnection: a data channel's label is a topic, and
// what a member says on a topic goes to all others that have a channel of that
// label. The channel "hub" is the hub's own: it beats, so that members notice
// within seconds when the hub is gone.

const BEAT = 1000;
/** A member with so much waiting holds back those who send to it. */
const HIGH = 256 * 1024;
const LOW = 64 * 1024;
/** One that takes nothing for so long is dropped; it may come back. */
const PATIENCE = 5000;
const MAX_TOPICS = 32;

export class Hub {
  #members = new Set();
  #timer = null;

  get size() {
    return this.#members.size;
  }

  stats() {
    return { members: this.#members.size, topics: [...this.#members].map((member) => [...member.channels.keys()]) };
  }

  add(pc) {
    const member = { pc, channels: new Map(), holding: new Set(), full: null };
    this.#members.add(member);
    this.#timer ??= setInterval(() => this.#beat(), BEAT);
    pc.addEventListener("datachannel", ({ channel }) => this.#channel(member, channel));
    pc.addEventListener("connectionstatechange", () => {
      if (["failed", "disconnected", "closed"].includes(pc.connectionState)) this.#drop(member);
    });
  }

  #channel(member, channel) {
    if (member.channels.has(channel.label) || member.channels.size >= MAX_TOPICS) return channel.close();
    member.channels.set(channel.label, channel);
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = LOW;
    channel.addEventListener("bufferedamountlow", () => this.#release(member));
    channel.addEventListener("close", () => {
      member.channels.delete(channel.label);
      // The last channel closes when the member's connection does.
      if (member.channels.size === 0) this.#drop(member);
    });
    channel.addEventListener("message", ({ data }) => this.#fanOut(member, channel.label, data));
  }

  #fanOut(from, topic, data) {
    if (topic === "hub") return;
    for (const to of this.#members) {
      const channel = to === from ? null : to.channels.get(topic);
      if (channel?.readyState !== "open") continue;
      channel.send(data);
      if (channel.bufferedAmount < HIGH) continue;
      to.full ??= Date.now();
      to.holding.add(from);
      // Not reading closes the sender's window: it halts by itself.
      from.pc.pauseMessages();
    }
  }

  /** A member has taken what waited. */
  #release(member) {
    if ([...member.channels.values()].some((channel) => channel.bufferedAmount > LOW)) return;
    member.full = null;
    const held = [...member.holding];
    member.holding.clear();
    for (const from of held) {
      if (![...this.#members].some((other) => other.holding.has(from))) from.pc.resumeMessages();
    }
  }

  #beat() {
    for (const member of this.#members) {
      if (member.full !== null && Date.now() - member.full > PATIENCE) this.#drop(member);
      else if (member.channels.get("hub")?.readyState === "open") member.channels.get("hub").send("beat");
    }
  }

  #drop(member) {
    if (!this.#members.delete(member)) return;
    member.channels.clear();
    this.#release(member);
    member.pc.close();
    if (this.#members.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  clear() {
    for (const member of [...this.#members]) this.#drop(member);
  }
}
