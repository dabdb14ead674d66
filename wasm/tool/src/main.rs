//! `picortc-wasm-tool IN.wasm OUTDIR`: what `wasm-bindgen --target web` does,
//! without the command-line program, which takes three times as long to build.

use std::error::Error;
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(input), Some(out), None) = (args.next(), args.next(), args.next()) else {
        return Err("usage: picortc-wasm-tool IN.wasm OUTDIR".into());
    };
    let mut bindgen = Bindgen::new();
    bindgen.web(true)?.omit_default_module_path(true).typescript(true).input_path(input);
    bindgen.out_name("picortc").generate(out)?;
    Ok(())
}
