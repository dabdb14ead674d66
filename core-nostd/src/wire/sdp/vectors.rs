//! Recorded descriptions of browsers and of other stacks.

macro_rules! vectors {
    ($($name:literal),* $(,)?) => {
        /// Name and text.
        pub(crate) const ALL: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../../tests/vectors/sdp/", $name, ".sdp")))),*];
    };
}

vectors!(
    "chromium156-answer",
    "chromium156-av-answer",
    "chromium156-av-offer",
    "chromium156-data-ip-answer",
    "chromium156-data-ip-offer",
    "chromium156-data-lo-answer",
    "chromium156-data-lo-offer",
    "chromium156-data-mdns-answer",
    "chromium156-data-mdns-offer",
    "chromium156-offer-dataonly",
    "chromium156-offer-recvonly",
    "chromium156-offer-restart",
    "chromium156-offer",
    "firefox153-av-answer",
    "firefox153-av-offer",
    "firefox153-data-default-answer",
    "firefox153-data-default-offer",
    "firefox153-data-ip-lo-answer",
    "firefox153-data-ip-lo-offer",
    "firefox153esr-answer",
    "firefox153esr-offer-dataonly",
    "firefox153esr-offer-recvonly",
    "firefox153esr-offer-restart",
    "firefox153esr-offer",
    "ndc-answer-to-chromium",
    "ndc-answer-to-firefox",
    "werift-answer-to-chromium",
    "werift-answer-to-firefox",
    "wrtc-answer-to-chromium",
    "wrtc-answer-to-firefox",
);

/// Three sections, the data one `bundle-only` with port 0.
pub(crate) const FIREFOX_OFFER: &str = include_str!("../../../../tests/vectors/sdp/firefox153esr-offer.sdp");
