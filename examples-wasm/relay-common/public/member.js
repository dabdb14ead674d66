// A member of a room, in a browser: joins, notices when the hub is gone, and
// joins again.

/** Without a beat for so long the hub is gone. */
const SILENCE = 6000;

export class Member extends EventTarget {
  #room;
  #topics;
  #pc = null;
  #channels = new Map();
  #heard = 0;
  #left = false;
  #timer;

  constructor(room, topics) {
    super();
    this.#room = room;
    this.#topics = topics;
    this.#timer = setInterval(() => this.#look(), 500);
    this.#join();
  }

  channel(topic) {
    return this.#channels.get(topic);
  }

  get connection() {
    return this.#pc;
  }

  async #join() {
    const pc = (this.#pc = new RTCPeerConnection());
    this.#heard = performance.now() + 8000; // Time to connect.
    this.#channels.clear();
    let open = 0;
    for (const topic of ["hub", ...this.#topics]) {
      const channel = pc.createDataChannel(topic);
      channel.binaryType = "arraybuffer";
      this.#channels.set(topic, channel);
      channel.onopen = () => {
        open += 1;
        if (open === this.#topics.length + 1) this.#tell("joined");
      };
      channel.onclose = () => pc === this.#pc && this.#again();
      channel.onmessage = ({ data }) => {
        if (pc !== this.#pc) return;
        this.#heard = performance.now();
        if (topic !== "hub") this.dispatchEvent(new CustomEvent("message", { detail: { topic, data } }));
      };
    }
    try {
      await pc.setLocalDescription();
      await gathered(pc);
      const response = await fetch(`/rooms/${this.#room}/offer`, { method: "POST", body: pc.localDescription.sdp });
      const sdp = await response.text();
      if (!response.ok) throw new Error(sdp);
      await pc.setRemoteDescription({ type: "answer", sdp });
    } catch (error) {
      this.#tell("trouble", `${error.message}`.trim());
      setTimeout(() => pc === this.#pc && this.#again(), 1000);
    }
  }

  #look() {
    const dead = ["failed", "closed"].includes(this.#pc?.connectionState);
    if (dead || performance.now() - this.#heard > SILENCE) this.#again();
  }

  #again() {
    const old = this.#pc;
    this.#pc = null;
    old?.close();
    if (this.#left) return;
    this.#tell("lost");
    this.#join();
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  leave() {
    this.#left = true;
    clearInterval(this.#timer);
    this.#again();
  }
}

function gathered(pc) {
  if (pc.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && resolve();
    setTimeout(resolve, 2000);
  });
}
