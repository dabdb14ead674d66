//! SCTP associations (RFC 9260) over DTLS (RFC 8261).
