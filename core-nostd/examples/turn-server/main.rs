//! A small STUN and TURN server over UDP, TCP and TLS, for a device or a test.
//!
//! ```text
//! echo 'user:secret' > users
//! cargo run --release --features turn-server --example turn-server -- \
//!     --listen 192.0.2.1:3478 --users users
//! ```
#![allow(clippy::disallowed_methods, reason = "programs around the core have a clock")]

mod serve;
mod streams;

use clap::Parser;
use md5::Md5;
use picortc::crypto::rust_crypto::PROVIDER;
use picortc::turn_server::{Config, Limits, Network, PeerFilter, TurnServer, UserKey, Users};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// A small STUN and TURN server.
#[derive(Debug, Parser)]
struct Options {
    /// Where it listens, over UDP and TCP.
    #[arg(long, default_value = "127.0.0.1:3478")]
    listen: SocketAddr,
    /// Where it listens for TLS.
    #[arg(long, requires = "cert", requires = "key")]
    tls: Option<SocketAddr>,
    /// The certificates for TLS, as PEM.
    #[arg(long)]
    cert: Option<PathBuf>,
    /// The private key for TLS, as PEM.
    #[arg(long)]
    key: Option<PathBuf>,
    /// The address of relays; without this option that of --listen. May be
    /// given once per family.
    #[arg(long, value_name = "ADDRESS")]
    relay: Vec<IpAddr>,
    /// A file with a line `name:password` per user.
    #[arg(long)]
    users: PathBuf,
    /// Let users prove themselves by SHA-256 (RFC 8489).
    #[arg(long)]
    sha256: bool,
    /// The realm of the users.
    #[arg(long, default_value = "picortc")]
    realm: String,
    /// Allocations in all.
    #[arg(long, default_value_t = Limits::DEFAULT.allocations)]
    allocations: usize,
    /// Allocations of one user.
    #[arg(long, default_value_t = Limits::DEFAULT.allocations_per_user)]
    per_user: usize,
    /// Peers that may be reached although they are denied otherwise, such as
    /// 127.0.0.0/8 in a test.
    #[arg(long, value_name = "NETWORK")]
    allow: Vec<Network>,
    /// Peers that may not be reached. The host itself, its link and disguised
    /// IPv4 addresses are denied anyway.
    #[arg(long, value_name = "NETWORK")]
    deny: Vec<Network>,
    /// How long a nonce is good for.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    nonce_lifetime: u64,
    /// End after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    exit_after: Option<u64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::parse();
    if options.relay.is_empty() {
        options.relay.push(options.listen.ip());
    }
    if let Some(ip) = options.relay.iter().find(|ip| ip.is_unspecified()) {
        return Err(format!("--relay wants an address that peers can send to, not {ip}").into());
    }
    let mut filter = PeerFilter::new(options.allow.len().max(options.deny.len()))?;
    for network in &options.allow {
        filter.allow(*network)?;
    }
    for network in &options.deny {
        filter.deny(*network)?;
    }
    let keys = Keys::read(&options)?;
    let config = Config {
        realm: &options.realm,
        nonce_lifetime: Duration::from_secs(options.nonce_lifetime),
        sha256: options.sha256,
        ipv4: options.relay.iter().any(IpAddr::is_ipv4),
        ipv6: options.relay.iter().any(IpAddr::is_ipv6),
        ..Config::default()
    };
    let limits = Limits {
        allocations: options.allocations,
        allocations_per_user: options.per_user,
        ..Limits::DEFAULT
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let server = TurnServer::new(&config, &limits, keys, filter, PROVIDER.hashes, seed)?;
    let deadline = async {
        match options.exit_after {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        result = serve::serve(&options, server) => result,
        _ = tokio::signal::ctrl_c() => Ok(()),
        () = deadline => Ok(()),
    }
}

/// The keys of each user.
struct Keys(HashMap<Vec<u8>, (UserKey, [u8; 32])>);

impl Users for Keys {
    fn key(&self, name: &[u8], _: &str) -> Option<UserKey> {
        self.0.get(name).map(|(md5, _)| *md5)
    }

    fn key_sha256(&self, name: &[u8], _: &str) -> Option<[u8; 32]> {
        self.0.get(name).map(|(_, sha256)| *sha256)
    }
}

impl Keys {
    /// Those of the users in the file. Empty lines and those that begin with `#`
    /// are passed over.
    fn read(options: &Options) -> Result<Self, Box<dyn Error>> {
        let text = std::fs::read_to_string(&options.users)
            .map_err(|e| format!("cannot read {}: {e}", options.users.display()))?;
        let mut keys = HashMap::new();
        for (number, line) in text.lines().enumerate().filter(|(_, l)| !l.is_empty() && !l.starts_with('#')) {
            let (name, password) =
                line.split_once(':').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
                    format!("{}: line {}: a user is name:password", options.users.display(), number + 1)
                })?;
            let secret = format!("{name}:{}:{password}", options.realm);
            let both = (Md5::digest(&secret).into(), Sha256::digest(&secret).into());
            keys.insert(name.as_bytes().to_vec(), both);
        }
        Ok(Self(keys))
    }
}
