// Loads the module where there is nothing but the web's own interfaces.
import { install } from "./native.js";

const response = await fetch(new URL("./wasm/picortc_bg.wasm", import.meta.url));
install(await response.arrayBuffer());
