//! The data channel establishment protocol (RFC 8832).
