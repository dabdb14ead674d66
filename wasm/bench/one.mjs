// Two peers of one library in one process, over loopback or the machine's own
// address: how much one carries to the other, and for how much processor time.
//
//   one.mjs LIBRARY MESSAGE_BYTES SECONDS
import { argv, cpuUsage } from "node:process";

const [library, size, seconds] = [argv[2], Number(argv[3]), Number(argv[4])];

const LIBRARIES = {
  picortc: async () => (await import("picortc")).RTCPeerConnection,
  // As between machines where only the least is known of the path.
  "picortc-1200": async () => (await import("picortc")).RTCPeerConnection,
  wrtc: async () => (await import("@roamhq/wrtc")).default.RTCPeerConnection,
  "node-datachannel": async () => (await import("node-datachannel/polyfill")).RTCPeerConnection,
  werift: async () => (await import("werift")).RTCPeerConnection,
};

const RTCPeerConnection = await LIBRARIES[library]();
const ours = library.startsWith("picortc");
const more = library === "picortc-1200" ? [{ maxMtu: 1200 }] : [];
const [a, b] = [new RTCPeerConnection({}, ...more), new RTCPeerConnection({}, ...more)];

function gathered(pc) {
  if (pc.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const look = () => pc.iceGatheringState === "complete" && resolve();
    if (pc.iceGatheringStateChange) pc.iceGatheringStateChange.subscribe(look);
    else pc.addEventListener("icegatheringstatechange", look);
    setTimeout(resolve, 3000);
  });
}

let received = 0;
function count(channel) {
  const take = (data) => {
    received += data.byteLength ?? data.length ?? 0;
  };
  if (channel.onMessage?.subscribe) channel.onMessage.subscribe(take);
  else {
    channel.binaryType = "arraybuffer";
    channel.onmessage = ({ data }) => take(data);
  }
}
if (b.onDataChannel?.subscribe) b.onDataChannel.subscribe(count);
else b.ondatachannel = ({ channel }) => count(channel);

const channel = a.createDataChannel("bulk");
await a.setLocalDescription(await a.createOffer());
await gathered(a);
await b.setRemoteDescription(a.localDescription);
await b.setLocalDescription(await b.createAnswer());
await gathered(b);
await a.setRemoteDescription(b.localDescription);
if (channel.readyState !== "open") {
  await new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("not open within 20 s")), 20_000).unref();
    if (channel.stateChanged?.subscribe) channel.stateChanged.subscribe((state) => state === "open" && resolve());
    else channel.onopen = resolve;
  });
}

// Enough waits to keep the pipe full. werift stalls with more than a little.
const high = library === "werift" ? Math.max(size, 64 << 10) : 2 << 20;
channel.bufferedAmountLowThreshold = high / 2;
const piece = Buffer.alloc(size, 7);
let stop = false;
// Where other threads send, the loop may not be left to the amount alone: they
// can be quicker than it, and then nothing else happens in this thread.
const fill = () => {
  for (let sent = 0; !stop && sent < high; sent += size) {
    if (channel.bufferedAmount >= high) return;
    channel.send(piece);
  }
  if (!stop) setImmediate(fill);
};
if (channel.bufferedAmountLow?.subscribe) channel.bufferedAmountLow.subscribe(fill);
else channel.onbufferedamountlow = fill;
// Not every library tells of every fall.
setInterval(fill, 20).unref();

fill();
await new Promise((resolve) => setTimeout(resolve, 1000));
const [before, at, from] = [received, performance.now(), cpuUsage()];
await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const { user, system } = cpuUsage(from);
const [bits, wall, cpu] = [(received - before) * 8e-6, (performance.now() - at) / 1000, (user + system) * 1e-6];
stop = true;
const packet = ours ? [...(await a.getStats()).values()].find(({ type }) => type === "sctp-transport").mtu : null;
console.log(JSON.stringify({ library, size, wall: bits / wall, cpu: bits / cpu, packet }));
process.exit(0);
