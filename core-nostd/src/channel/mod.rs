//! Data channels (RFC 8831).
