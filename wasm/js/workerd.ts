// The entry for Cloudflare Workers. There is no UDP: give connections a
// transport.
import "./load-workerd.js";

export * from "./api.js";
