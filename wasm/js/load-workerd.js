// Loads the module in Workers, which compile modules at deployment only.
import module from "./wasm/picortc_bg.wasm";
import { install } from "./native.js";

install(module);
