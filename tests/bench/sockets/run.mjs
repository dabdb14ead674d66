// The throughput of two JavaScript stacks over loopback sockets, both peers in
// one process: node-datachannel (libdatachannel) and @roamhq/wrtc (libwebrtc).
// node run.mjs STACK SIZE BYTES: prints MB per second of wall time and per
// second of CPU, of the whole process.
import { hrtime, argv, cpuUsage } from 'node:process';

const [, , stack, sizeText, bytesText] = argv;
const size = Number(sizeText);
const bytes = Number(bytesText);
const HIGH = 1024 * 1024;
const message = Buffer.alloc(size, 0xa5);
/** What must outlive the functions that make it: collected, it would close. */
const kept = [];

function report(from, cpu) {
  const wall = Number(hrtime.bigint() - from) / 1e9;
  const { user, system } = cpuUsage(cpu);
  console.log(`octets_per_second ${bytes / wall}`);
  console.log(`octets_per_cpu_second ${bytes / ((user + system) / 1e6)}`);
  process.exit(0);
}

async function nodeDataChannel() {
  const { default: ndc } = await import('node-datachannel');
  const a = new ndc.PeerConnection('a', { iceServers: [], maxMessageSize: 262144 });
  const b = new ndc.PeerConnection('b', { iceServers: [], maxMessageSize: 262144 });
  // Candidates can come up before the description that they belong to.
  const signal = (from, to) => {
    const waiting = [];
    let described = false;
    from.onLocalDescription((sdp, type) => {
      to.setRemoteDescription(sdp, type);
      described = true;
      for (const candidate of waiting) to.addRemoteCandidate(...candidate);
    });
    from.onLocalCandidate((...candidate) => {
      if (described) to.addRemoteCandidate(...candidate);
      else waiting.push(candidate);
    });
  };
  signal(a, b);
  signal(b, a);
  let got = 0;
  let from;
  let cpu;
  b.onDataChannel((channel) => {
    kept.push(channel);
    channel.onMessage((data) => {
      got += data.length;
      if (got >= bytes) report(from, cpu);
    });
  });
  const channel = a.createDataChannel('data');
  kept.push(a, b, channel);
  let left = bytes;
  const pump = () => {
    while (left > 0 && channel.bufferedAmount() < HIGH) {
      channel.sendMessageBinary(message);
      left -= size;
    }
  };
  channel.setBufferedAmountLowThreshold(HIGH / 2);
  channel.onBufferedAmountLow(pump);
  channel.onOpen(() => {
    from = hrtime.bigint();
    cpu = cpuUsage();
    pump();
  });
}

async function wrtc() {
  const { default: lib } = await import('@roamhq/wrtc');
  const a = new lib.RTCPeerConnection();
  const b = new lib.RTCPeerConnection();
  a.onicecandidate = ({ candidate }) => candidate && b.addIceCandidate(candidate);
  b.onicecandidate = ({ candidate }) => candidate && a.addIceCandidate(candidate);
  let got = 0;
  let from;
  let cpu;
  b.ondatachannel = ({ channel }) => {
    kept.push(channel);
    channel.binaryType = 'arraybuffer';
    channel.onmessage = ({ data }) => {
      got += data.byteLength;
      if (got >= bytes) report(from, cpu);
      pump();
    };
  };
  const channel = a.createDataChannel('data');
  kept.push(a, b, channel);
  let sent = 0;
  // Its bufferedAmount is 0 until the task ends: what has not arrived counts.
  const pump = () => {
    while (sent < bytes && sent - got < HIGH) {
      channel.send(message);
      sent += size;
    }
  };
  channel.onopen = () => {
    from = hrtime.bigint();
    cpu = cpuUsage();
    pump();
  };
  await a.setLocalDescription(await a.createOffer());
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription(await b.createAnswer());
  await a.setRemoteDescription(b.localDescription);
}

setTimeout(() => process.exit(1), 120_000);
await (stack === 'wrtc' ? wrtc() : nodeDataChannel());
