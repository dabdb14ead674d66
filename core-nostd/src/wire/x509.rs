//! The little of X.509 that WebRTC needs (RFC 5280).
