// The entry for everything else. Connections want a transport.
import "./load-browser.js";

export * from "./api.js";
