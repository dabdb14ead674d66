//! NSS, which is Firefox's TLS, as a process (`tstclnt`, in either role): DTLS
//! 1.3 with a peer that lives outside of a browser, whose groups and
//! certificate can be chosen.

use super::process::{Link, Process, files, free_port};
use super::*;
use picortc::crypto::HashAlgorithm;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

const HYBRID: NamedGroup = NamedGroup::X25519MLKEM768;

fn check(command: &mut Command) {
    let output = command.output().expect("the tool runs");
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// A database with certificate 2, named `peer`; and its fingerprint.
fn database() -> (PathBuf, Fingerprint) {
    let (certificate, key) = files();
    let dir = certificate.with_extension("nss");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("a directory");
    let name = format!("sql:{}", dir.display());
    let bundle = dir.join("peer.p12");
    check(Command::new("certutil").args(["-N", "--empty-password", "-d", &name]));
    let mut pack = Command::new("openssl");
    pack.args(["pkcs12", "-export", "-name", "peer", "-passout", "pass:"]);
    check(pack.arg("-in").arg(&certificate).arg("-inkey").arg(&key).arg("-out").arg(&bundle));
    check(Command::new("pk12util").args(["-d", &name, "-W", "", "-K", "", "-i"]).arg(&bundle));
    let der = dir.join("peer.der");
    let mut convert = Command::new("openssl");
    check(convert.args(["x509", "-outform", "DER", "-in"]).arg(&certificate).arg("-out").arg(&der));
    let der = std::fs::read(der).expect("it was written");
    let fingerprint = Fingerprint::of(&PROVIDER, HashAlgorithm::Sha256, &der).expect("it has SHA-256");
    (dir, fingerprint)
}

fn tstclnt(role: &str, database: &Path, port: u16, more: &[&str]) -> Process {
    let mut command = Command::new("tstclnt");
    // Debian's own NSS has a draft of DTLS 1.3; the one in Firefox has the RFC's.
    command.env("LD_LIBRARY_PATH", "/usr/lib/firefox-esr");
    command.args(["-P", role, "-h", "127.0.0.1", "-p", &port.to_string(), "-n", "peer", "-o", "-v"]);
    command.arg("-d").arg(format!("sql:{}", database.display()));
    Process::start(command.args(["-V", "tls1.2:tls1.3"]).args(more))
}

/// NSS as server.
fn with_server(more: &[&str], lost: &'static [usize], adapt: impl FnOnce(&mut Config)) -> Link {
    let (database, fingerprint) = database();
    let port = free_port();
    let mut server = tstclnt("server", &database, port, more);
    let mut link = Link::new(Ours::new(adapt, &PROVIDER), Some((Ipv4Addr::LOCALHOST, port).into()));
    link.lost = lost;
    link.run(&server, "start", |_, said| said.contains("connecting to"));
    let now = link.now();
    link.ours.start_with(now, Role::Client, fingerprint);
    link.talk(&mut server, false);
    link
}

/// NSS as client.
fn with_client(more: &[&str], lost: &'static [usize], adapt: impl FnOnce(&mut Config)) -> Link {
    let (database, fingerprint) = database();
    let mut link = Link::new(Ours::new(adapt, &PROVIDER), None);
    link.lost = lost;
    let SocketAddr::V4(place) = link.socket.local_addr().expect("it is bound") else {
        panic!("a socket of IPv4")
    };
    let now = link.now();
    link.ours.start_with(now, Role::Server, fingerprint);
    let mut client = tstclnt("client", &database, place.port(), more);
    link.talk(&mut client, false);
    link
}

fn saw(what: &str, link: &Link, version: ProtocolVersion, group: NamedGroup) {
    let negotiated = link.ours.negotiated();
    println!("NSS as {what}: {} {}", negotiated.dtls_cipher(), negotiated.group_name());
    assert_eq!((negotiated.version, negotiated.group), (version.0, group.0), "NSS as {what}");
}

#[test]
fn nss_as_server_and_as_client() {
    let link = with_server(&[], &[], |_| ());
    saw("server", &link, V13, HYBRID);
    let link = with_client(&[], &[], |_| ());
    saw("client", &link, V13, HYBRID);
}

/// What of ours gets lost is the client's hello, then its second datagram; the
/// server's first flight, then a part of it.
#[test]
fn nss_while_datagrams_are_lost() {
    for lost in [&[0][..], &[1], &[0, 2], &[0, 1, 3]] {
        saw("server", &with_server(&[], lost, |_| ()), V13, HYBRID);
        saw("client", &with_client(&[], lost, |_| ()), V13, HYBRID);
    }
}

/// A peer that has none of the groups that a share was sent of asks for one
/// that it has; we do so too.
#[test]
fn nss_with_another_group_than_the_shares_are_of() {
    let p256 = NamedGroup::SECP256R1;
    let link = with_server(&["-I", "P256"], &[], |_| ());
    saw("server that has P-256 alone", &link, V13, p256);
    // The first that it names is what it sends a share of.
    let link = with_client(&["-I", "P384,x25519"], &[], |_| ());
    saw("client with a share of P-384", &link, V13, NamedGroup::X25519);
    let link = with_client(&["-I", "P384,P256"], &[], |config| config.hello_verify = true);
    saw("client with a share of P-384, and asked for a cookie", &link, V13, p256);
    // What of ours is lost is the HelloRetryRequest.
    let link = with_client(&["-I", "P521,P256"], &[0], |_| ());
    saw("client with a share of P-521", &link, V13, p256);
    assert!(PROVIDER.key_exchanges.iter().any(|k| k.group() == HYBRID), "it was offered throughout");
}
