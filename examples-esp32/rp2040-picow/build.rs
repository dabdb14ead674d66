use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("nvram.bin");
    println!("cargo:rerun-if-env-changed=CYW43_NVRAM");
    match env::var_os("CYW43_NVRAM") {
        Some(nvram) => {
            println!("cargo:rerun-if-changed={}", PathBuf::from(&nvram).display());
            fs::copy(nvram, out).expect("CYW43_NVRAM names a file");
        }
        None => {
            println!("cargo:warning=without CYW43_NVRAM the board will start and say that it is missing");
            fs::write(out, []).expect("the folder of the build can be written to");
        }
    }
    println!("cargo:rustc-link-search={}", env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    for arg in ["--nmagic", "-Tlink.x", "-Tlink-rp.x"] {
        println!("cargo:rustc-link-arg-bins={arg}");
    }
    println!("cargo:rerun-if-changed=memory.x");
}
