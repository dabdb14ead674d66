//! Interactive Connectivity Establishment (RFC 8445).
