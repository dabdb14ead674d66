// What must hold between a peer and one that echoes every message on its
// channel: the same cases in every runtime, over the W3C's interface alone.

const LIMIT = 60_000;

export function gathered(pc) {
  if (pc.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    pc.addEventListener("icegatheringstatechange", () => pc.iceGatheringState === "complete" && resolve());
  });
}

/** Sends every message back. What finds no room waits, in order. */
export function echo(pc) {
  pc.addEventListener("datachannel", ({ channel }) => {
    const waiting = [];
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = 1 << 20;
    const drain = () => {
      while (waiting.length > 0 && channel.readyState === "open" && channel.bufferedAmount < 4 << 20) channel.send(waiting.shift());
    };
    channel.addEventListener("bufferedamountlow", drain);
    channel.addEventListener("message", ({ data }) => {
      waiting.push(data);
      drain();
    });
  });
}

export function once(target, type, what = type) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} did not come within ${LIMIT / 1000} s`)), LIMIT);
    target.addEventListener(type, (event) => {
      clearTimeout(timer);
      resolve(event);
    }, { once: true });
  });
}

export async function opened(channel) {
  if (channel.readyState !== "open") await once(channel, "open", `open of ${channel.label}`);
  channel.binaryType = "arraybuffer";
}

function check(holds, what) {
  if (!holds) throw new Error(what);
}

async function roundTrip(channel, data) {
  const back = once(channel, "message");
  channel.send(data);
  return (await back).data;
}

/** The cases, in order; each says what it saw. */
const CASES = {
  async text(pc, main) {
    const text = "hej, grüße, 你好, 👋";
    check((await roundTrip(main, text)) === text, "the text came back changed");
    return `${text.length} characters`;
  },
  async empty(pc, main) {
    check((await roundTrip(main, "")) === "", "empty text");
    check((await roundTrip(main, new Uint8Array())).byteLength === 0, "empty binary");
    return "both kinds";
  },
  async large(pc, main) {
    const size = Math.min(pc.sctp.maxMessageSize, 256 * 1024);
    const sent = Uint8Array.from({ length: size }, (_, i) => (i * 7) >> 3);
    const back = new Uint8Array(await roundTrip(main, sent));
    check(back.length === size && back.every((octet, i) => octet === sent[i]), "the octets came back changed");
    return `${size} octets`;
  },
  async channels(pc) {
    const channels = Array.from({ length: 100 }, (_, i) => pc.createDataChannel(`c${i}`));
    const texts = await Promise.all(channels.map(async (channel) => {
      await opened(channel);
      return roundTrip(channel, channel.label);
    }));
    check(texts.every((text, i) => text === `c${i}`), "a channel gave another's text");
    check(new Set(channels.map((channel) => channel.id)).size === 100, "two channels share an id");
    const closed = channels.map((channel) => once(channel, "close"));
    for (const channel of channels) channel.close();
    await Promise.all(closed);
    return "100 opened, echoed and closed";
  },
  async unordered(pc) {
    const channel = pc.createDataChannel("unordered", { ordered: false, maxRetransmits: 3 });
    await opened(channel);
    check((await roundTrip(channel, "any order")) === "any order", "the text came back changed");
    channel.close();
    await once(channel, "close");
    return "3 retransmissions";
  },
  async backpressure(pc) {
    const channel = pc.createDataChannel("bulk");
    await opened(channel);
    const [piece, total] = [new Uint8Array(16384), 4 << 20];
    let [sent, back, most, lows] = [0, 0, 0, 0];
    channel.bufferedAmountLowThreshold = 64 << 10;
    const fill = () => {
      while (sent < total && channel.bufferedAmount < 256 << 10) {
        channel.send(piece);
        sent += piece.length;
        most = Math.max(most, channel.bufferedAmount);
      }
    };
    channel.addEventListener("bufferedamountlow", () => {
      lows += 1;
      fill();
    });
    const all = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${back} of ${total} octets came back`)), 2 * LIMIT);
      channel.addEventListener("message", ({ data }) => {
        back += data.byteLength;
        if (back < total) return;
        clearTimeout(timer);
        resolve();
      });
    });
    fill();
    await all;
    check(lows > 0, "bufferedamountlow was never fired");
    channel.close();
    return `${total} octets both ways, at most ${most} waiting`;
  },
  async close(pc) {
    const channel = pc.createDataChannel("short");
    await opened(channel);
    const closed = once(channel, "close");
    channel.close();
    check(channel.readyState === "closing", `${channel.readyState} after close()`);
    await closed;
    check(channel.readyState === "closed", `${channel.readyState} after the event`);
    return "closing, then closed";
  },
};

/** Runs all cases on a connection whose channel `main` is there. */
export async function battery(pc, main, say) {
  await opened(main);
  for (const [name, run] of Object.entries(CASES)) {
    try {
      say({ ok: name, saw: await run(pc, main) });
    } catch (error) {
      say({ fail: name, why: `${error?.message ?? error}` });
    }
  }
}
