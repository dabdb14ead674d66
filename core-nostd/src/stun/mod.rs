//! STUN client transactions and server replies (RFC 8489).
