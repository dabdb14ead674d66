// Streams through cloudflare:sockets. There is no UDP: what reaches a peer is a
// relay over TCP or TLS.
import { connect } from "cloudflare:sockets";
import type { Stream, StreamSink, StreamTarget, TransportFactory } from "../transport.js";

interface Socket {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly opened: Promise<unknown>;
  close(): Promise<void>;
}

/** Octets that may wait to be written. */
const HIGH_WATER = 64 * 1024;

// Addresses are not told: each stream has a made-up one, of the range for
// addresses that nobody has (RFC 7600, RFC 8155).
let streams = 0;

/** A transport that reaches peers by TURN servers over TCP and TLS. */
export function sockets(): TransportFactory {
  return () => ({
    open: (sink) => sink.endOfAddresses(),
    send() {},
    connect: open,
    close() {},
  });
}

function open({ protocol, host, port }: StreamTarget, sink: StreamSink): Stream {
  const hostname = host.includes(":") ? `[${host}]` : host;
  const socket = connect({ hostname, port }, { secureTransport: protocol === "tls" ? "on" : "off", allowHalfOpen: false }) as Socket;
  const writer = socket.writable.getWriter();
  let [waiting, over] = [0, false];
  const end = () => {
    if (over) return;
    over = true;
    sink.closed();
    socket.close().catch(() => {});
  };
  const read = async () => {
    await socket.opened;
    streams = (streams + 1) & 0xffff;
    sink.opened({ ip: "192.0.0.8", port: streams }, { ip: "192.0.0.8", port });
    const reader = socket.readable.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done || over) return;
      sink.receive(value);
    }
  };
  read().then(end, end);
  return {
    write(data) {
      waiting += data.length;
      writer.write(data.slice()).then(() => {
        waiting -= data.length;
        if (waiting === 0) sink.drained();
      }, end);
      return waiting < HIGH_WATER;
    },
    close() {
      if (over) return;
      over = true;
      // What was written goes out first.
      writer.close().catch(() => {}).then(() => socket.close()).catch(() => {});
    },
  };
}
