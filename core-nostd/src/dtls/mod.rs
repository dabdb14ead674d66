//! Datagram TLS: handshake, records, exported keys (RFC 6347, RFC 9147).
