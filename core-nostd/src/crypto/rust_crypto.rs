//! The default provider, from the RustCrypto crates.
