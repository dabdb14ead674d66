//! OpenSSL and GnuTLS, as processes on the loopback interface. Neither speaks
//! DTLS 1.3; that a peer which offers it comes to terms with them in one round
//! is what is shown, in both roles.

use super::*;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Certificate 2 and its key as PEM files, which both tools read.
pub(super) fn files() -> (PathBuf, PathBuf) {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let identity = identity(2);
    let convert = |what: &str, der: &[u8], out: &PathBuf| {
        let mut child = Command::new("openssl")
            .args([what, "-inform", "DER", "-out"])
            .arg(out)
            .stdin(Stdio::piped())
            .spawn()
            .expect("openssl runs");
        child.stdin.take().expect("a pipe").write_all(der).expect("it reads");
        assert!(child.wait().expect("it ends").success(), "openssl {what}");
    };
    // Tests run side by side: each has files of its own.
    let id = std::thread::current().name().unwrap_or("one").replace(':', "-");
    let (certificate, key) = (dir.join(format!("{id}.pem")), dir.join(format!("{id}.key")));
    convert("x509", identity.der(), &certificate);
    // This form has the public key in it, which GnuTLS wants.
    convert("ec", &pkcs8(&identity), &key);
    (certificate, key)
}

/// A foreign end: what it says, and what it is told.
pub(super) struct Process {
    child: Child,
    pub(super) stdin: ChildStdin,
    output: Arc<Mutex<String>>,
}

impl Process {
    pub(super) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the tool runs");
        let output = Arc::new(Mutex::new(String::new()));
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("a pipe")), Box::new(child.stderr.take().expect("a pipe"))];
        for mut stream in streams {
            let output = output.clone();
            std::thread::spawn(move || {
                let mut buf = [0; 1000];
                while let Ok(n) = stream.read(&mut buf) {
                    if n == 0 {
                        return;
                    }
                    output.lock().expect("no panic").push_str(&String::from_utf8_lossy(&buf[..n]));
                }
            });
        }
        let stdin = child.stdin.take().expect("a pipe");
        Self { child, stdin, output }
    }

    pub(super) fn said(&self) -> String {
        self.output.lock().expect("no panic").clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our end on a socket of its own, until `done`.
pub(super) struct Link {
    pub(super) ours: Ours,
    pub(super) socket: UdpSocket,
    peer: Option<SocketAddr>,
    /// Which of our datagrams are lost, by their number; none once connected.
    pub(super) lost: &'static [usize],
    sent: usize,
    start: std::time::Instant,
}

impl Link {
    pub(super) fn new(ours: Ours, peer: Option<SocketAddr>) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(5))).expect("a time-out");
        Self { ours, socket, peer, lost: &[], sent: 0, start: std::time::Instant::now() }
    }

    pub(super) fn now(&self) -> Instant {
        Instant::from_micros(self.start.elapsed().as_micros() as u64)
    }

    pub(super) fn run(&mut self, process: &Process, what: &str, done: impl Fn(&Ours, &str) -> bool) {
        let deadline = std::time::Instant::now() + Duration::from_secs(90);
        let mut buf = [0; 2000];
        while !done(&self.ours, &process.said()) {
            let now = self.now();
            self.ours.timeout(now);
            while let (Some(peer), Some(datagram)) = (self.peer, self.ours.write(now)) {
                if !self.lost.contains(&self.sent) {
                    self.socket.send_to(&datagram, peer).expect("loopback takes it");
                }
                self.sent += 1;
            }
            // What a process that is not up yet refuses is an error here, too.
            if let Ok((len, from)) = self.socket.recv_from(&mut buf) {
                self.peer.get_or_insert(from);
                self.ours.read(now, &mut buf[..len]);
            }
            assert!(
                std::time::Instant::now() < deadline,
                "{what}: {:?} {:?} {:?}\n{}",
                self.ours.dtls,
                self.ours.events,
                self.ours.dtls.counters(),
                process.said()
            );
        }
    }

    fn send(&mut self, data: &[u8]) {
        // Behind what is left of the handshake.
        let now = self.now();
        while let (Some(peer), Some(datagram)) = (self.peer, self.ours.write(now)) {
            self.socket.send_to(&datagram, peer).expect("loopback takes it");
        }
        let datagram = self.ours.seal(data);
        self.socket.send_to(&datagram, self.peer.expect("a peer")).expect("loopback takes it");
    }

    /// Lines both ways, after the handshake.
    pub(super) fn talk(&mut self, process: &mut Process, is_echo: bool) {
        self.run(process, "handshake", |ours, _| ours.dtls.is_connected());
        assert_eq!(self.ours.events, [Event::Connected]);
        self.send(b"from us, in one line\n");
        if is_echo {
            self.run(process, "echo", |ours, _| ours.received.concat().starts_with(b"from us, in one line"));
        } else {
            self.run(process, "our line", |_, said| said.contains("from us, in one line"));
            process.stdin.write_all(b"from them, in another\n").expect("it reads");
            process.stdin.flush().expect("it reads");
            self.run(process, "their line", |ours, _| {
                ours.received.concat().starts_with(b"from them, in another")
            });
        }
    }
}

/// A port that was free just now.
pub(super) fn free_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.local_addr().expect("it is bound").port()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect()
}

fn openssl(verb: &str, place: &[&str]) -> Process {
    let (certificate, key) = files();
    let mut command = Command::new("openssl");
    command.args([verb, "-dtls1_2", "-use_srtp", "SRTP_AEAD_AES_128_GCM"]).args(place);
    command.args(["-keymatexport", "EXTRACTOR-dtls_srtp", "-keymatexportlen", "56"]);
    command.arg("-cert").arg(certificate).arg("-key").arg(key);
    if verb == "s_server" {
        command.args(["-Verify", "1"]);
    }
    Process::start(&mut command)
}

#[test]
fn openssl_as_server_and_as_client() {
    let port = free_port();
    let place = format!("127.0.0.1:{port}");
    let mut server = openssl("s_server", &["-accept", &place]);
    let mut link =
        Link::new(Ours::new(|_| (), &PROVIDER), Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
    link.run(&server, "start", |_, said| said.contains("ACCEPT"));
    let now = link.now();
    link.ours.start(now, Role::Client);
    link.talk(&mut server, false);
    check_openssl(&link, &server);

    let mut link = Link::new(Ours::new(|_| (), &PROVIDER), None);
    let place = link.socket.local_addr().expect("it is bound").to_string();
    let now = link.now();
    link.ours.start(now, Role::Server);
    let mut client = openssl("s_client", &["-connect", &place]);
    link.talk(&mut client, false);
    check_openssl(&link, &client);
}

fn check_openssl(link: &Link, process: &Process) {
    let negotiated = link.ours.negotiated();
    assert_eq!(negotiated.version, V12.0);
    assert_eq!(negotiated.srtp_profile, Some(SrtpProfile::AEAD_AES_128_GCM));
    let exported = hex(&link.ours.exported());
    assert!(process.said().contains(&exported), "{exported} is not in\n{}", process.said());
    println!("OpenSSL: {} {}, the same keys for SRTP", negotiated.dtls_cipher(), negotiated.group_name());
}

fn gnutls(tool: &str, place: &[&str]) -> Process {
    let (certificate, key) = files();
    let mut command = Command::new(tool);
    command.args(["--udp", "--priority", "NORMAL:-VERS-ALL:+VERS-DTLS1.2"]).args(place);
    command.arg("--x509certfile").arg(certificate).arg("--x509keyfile").arg(key);
    Process::start(&mut command)
}

#[test]
fn gnutls_as_server_and_as_client() {
    let port = free_port().to_string();
    let mut server = gnutls("gnutls-serv", &["--port", &port, "--echo"]);
    let peer = format!("127.0.0.1:{port}").parse().expect("an address");
    let mut link = Link::new(Ours::new(|_| (), &PROVIDER), Some(peer));
    link.run(&server, "start", |_, said| said.contains("listening on"));
    let now = link.now();
    link.ours.start(now, Role::Client);
    link.talk(&mut server, true);
    let negotiated = link.ours.negotiated();
    println!("GnuTLS: {} {}", negotiated.dtls_cipher(), negotiated.group_name());
    assert_eq!(negotiated.version, V12.0);

    let mut link = Link::new(Ours::new(|config| config.hello_verify = true, &PROVIDER), None);
    let port = link.socket.local_addr().expect("it is bound").port().to_string();
    let now = link.now();
    link.ours.start(now, Role::Server);
    let mut client = gnutls("gnutls-cli", &["--insecure", "--port", &port, "127.0.0.1"]);
    link.talk(&mut client, false);
    let negotiated = link.ours.negotiated();
    println!("GnuTLS: {} {}", negotiated.dtls_cipher(), negotiated.group_name());
    assert_eq!(negotiated.version, V12.0);
}
