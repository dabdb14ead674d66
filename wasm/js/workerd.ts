// The entry for Cloudflare Workers. There is no UDP: peers are reached by TURN
// servers over TCP and TLS, or by a transport that connections are given.
import "./load-workerd.js";
import { setDefaultTransport } from "./transport.js";
import { sockets } from "./transports/sockets.js";

setDefaultTransport(sockets());

export * from "./api.js";
export { sockets } from "./transports/sockets.js";
