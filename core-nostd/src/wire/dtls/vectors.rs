//! Recorded messages of browsers.

pub(crate) const CHROMIUM_HELLO: &[u8] =
    include_bytes!("../../../../tests/vectors/dtls/chromium156-clienthello-body.bin");
pub(crate) const FIREFOX_HELLO: &[u8] =
    include_bytes!("../../../../tests/vectors/dtls/firefox153esr-clienthello-body.bin");
