//! DTLS records, handshake messages and extensions (RFC 6347, RFC 9147).
