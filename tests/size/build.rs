//! Puts the memory map of the chosen board where the linker finds it.

use std::{env, fs, path::PathBuf};

/// Code and RAM of the MPS2 board, restricted to what an RP2040 has.
const MPS2: &str = "MEMORY { FLASH : ORIGIN = 0, LENGTH = 2M\n RAM : ORIGIN = 0x20000000, LENGTH = 256K }\n";
/// The RP2040 behind its second-stage boot loader, which the emulator skips.
const RP2040: &str = "MEMORY { FLASH : ORIGIN = 0x10000100, LENGTH = 2M - 0x100\n RAM : ORIGIN = 0x20000000, LENGTH = 256K }\n";
/// QEMU's `virt`: one RAM, of which the upper part stands for that of a chip.
const VIRT: &str =
    "MEMORY { FLASH : ORIGIN = 0x80000000, LENGTH = 2M\n RAM : ORIGIN = 0x80200000, LENGTH = 256K }
REGION_ALIAS(\"REGION_TEXT\", FLASH);
REGION_ALIAS(\"REGION_RODATA\", FLASH);
REGION_ALIAS(\"REGION_DATA\", RAM);
REGION_ALIAS(\"REGION_BSS\", RAM);
REGION_ALIAS(\"REGION_HEAP\", RAM);
REGION_ALIAS(\"REGION_STACK\", RAM);
";

fn main() {
    let riscv = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "riscv32");
    let rp2040 = env::var("CARGO_FEATURE_RP2040").is_ok();
    let map = if riscv {
        VIRT
    } else if rp2040 {
        RP2040
    } else {
        MPS2
    };
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("memory.x"), map).expect("a writable OUT_DIR");
    println!("cargo:rustc-link-search={}", out.display());
    if riscv {
        println!("cargo:rustc-link-arg-bins=-Tmemory.x");
    }
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rustc-link-arg-bins=--nmagic");
    // Beside the program, which is three folders above.
    let beside = out.ancestors().nth(3).expect("OUT_DIR is in the target directory");
    println!("cargo:rustc-link-arg-bin=peer=-Map={}", beside.join("peer.map").display());
    println!("cargo:rerun-if-changed=build.rs");
}
