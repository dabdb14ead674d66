//! An allocation on a TURN server (RFC 8656) that many connections share.

use crate::instant;
use crate::path::{self, Ends};
use crate::provider::PROVIDER;
use crate::setup::seed_of;
use alloc::boxed::Box;
use alloc::vec;
use picortc::env::{Env, Rng};
use picortc::turn::{Client, Event, Limits, Permission, Received};
use picortc::wire::turn::RequestedTransport;
use wasm_bindgen::prelude::*;

/// Octets for one message of TURN: a datagram and its frame.
const BUFFER: usize = 4096;

/// A client of a TURN server. Its owner carries and frames the octets.
#[wasm_bindgen]
pub struct Relay {
    client: Client,
    rng: Rng,
    incoming: Box<[u8]>,
    outgoing: Box<[u8]>,
    path: Box<[u8; path::LEN]>,
    info: Box<[u32; 4]>,
}

#[wasm_bindgen]
impl Relay {
    /// A client with room for so many peers; `seed` has 32 random octets.
    ///
    /// # Errors
    /// `TypeError`, `OperationError`.
    #[wasm_bindgen(constructor)]
    pub fn new(seed: &[u8], peers: usize) -> Result<Relay, JsValue> {
        let limits = Limits { allocations: 1, peers, ..Limits::TINY };
        let client = Client::new(PROVIDER.hashes, &limits);
        Ok(Self {
            client: client.map_err(|e| crate::exception("OperationError", &e))?,
            rng: Rng::new(seed_of(seed)?),
            incoming: vec![0; BUFFER].into_boxed_slice(),
            outgoing: vec![0; BUFFER].into_boxed_slice(),
            path: Box::new([0; path::LEN]),
            info: Box::new([0; 4]),
        })
    }

    /// Where to put a message that came.
    pub fn incoming(&self) -> *const u8 {
        self.incoming.as_ptr()
    }

    /// Where a message to be sent lies.
    pub fn outgoing(&self) -> *const u8 {
        self.outgoing.as_ptr()
    }

    /// How long messages may be.
    pub fn buffer_len(&self) -> usize {
        BUFFER
    }

    /// Where two addresses lie: see each call.
    pub fn path(&self) -> *const u8 {
        self.path.as_ptr()
    }

    /// Words that calls leave: see each.
    pub fn info(&self) -> *const u32 {
        self.info.as_ptr()
    }

    fn ends(&self) -> Ends {
        Ends::from_octets(&self.path)
    }

    /// Asks for an allocation of the server in `path`. False when the
    /// credentials are too long.
    pub fn allocate(&mut self, now: f64, username: &str, password: &str) -> bool {
        let path = self.ends().path();
        let env = &mut Env::new(instant(now), &mut self.rng);
        let relays = RequestedTransport::UDP;
        self.client.allocate(env, instant(now), path, relays, username.as_bytes(), password.as_bytes())
    }

    /// Takes in the first `len` octets of `incoming`. True when they hold data
    /// of a peer: it lies `info[0]` octets behind `incoming` and has `info[1]`
    /// octets; `path` holds the relayed address and the peer's.
    pub fn handle_read(&mut self, now: f64, len: usize) -> bool {
        let Some(message) = self.incoming.get(..len) else { return false };
        let env = &mut Env::new(instant(now), &mut self.rng);
        let Received::Data { peer, relayed, range } = self.client.handle_read(env, message) else {
            return false;
        };
        self.info[0] = range.start as u32;
        self.info[1] = range.len() as u32;
        Ends::of(&picortc::env::TransportContext::udp(relayed, peer)).to_octets(&mut self.path);
        true
    }

    /// Lets the peer in `path` (its second half) through, and asks for a
    /// channel to it: 0 when there is no room or no allocation, 1 when the
    /// server was asked, 2 when it is let through, 3 when the server refuses.
    pub fn permit(&mut self, now: f64) -> u32 {
        let peer = self.ends().path().peer_addr;
        let env = &mut Env::new(instant(now), &mut self.rng);
        match self.client.permit(env, peer) {
            None => 0,
            Some(Permission::Asked) => 1,
            Some(Permission::Granted) => {
                self.client.bind(env, peer);
                2
            }
            Some(Permission::Refused) => 3,
        }
    }

    /// Forgets the peer in `path` (its second half).
    pub fn forget_peer(&mut self) {
        let gone = self.ends().path().peer_addr;
        self.client.retain_peers(|peer| peer != gone);
    }

    /// How many octets to leave free at the front of `outgoing` for a datagram
    /// to the peer in `path` (its second half); negative when nothing may be
    /// sent to it.
    pub fn head_room(&self) -> i32 {
        let peer = self.ends().path().peer_addr;
        self.client.head_room(peer).and_then(|room| i32::try_from(room).ok()).unwrap_or(-1)
    }

    /// Wraps the datagram of `len` octets behind the head room; returns how
    /// many octets of `outgoing` are to be sent, 0 for none.
    pub fn wrap(&mut self, now: f64, len: usize) -> usize {
        let peer = self.ends().path().peer_addr;
        let env = &mut Env::new(instant(now), &mut self.rng);
        self.client.wrap(env, peer, &mut self.outgoing, len).unwrap_or_default()
    }

    /// The client's own next message, in `outgoing`: how many octets; 0 for none.
    pub fn poll_write(&mut self, now: f64) -> usize {
        let env = &mut Env::new(instant(now), &mut self.rng);
        self.client.poll_write(env, &mut self.outgoing).unwrap_or_default()
    }

    /// What happened: 1 when there is an allocation (`path` holds the relayed
    /// address and the one that the server sees us at), 2 when there is none
    /// (`info[0]` is the server's error code, 0 when it did not answer), 3 when
    /// it is lost; 0 for nothing.
    pub fn poll_event(&mut self) -> u32 {
        match self.client.poll_event() {
            Some(Event::Allocated) => {
                let Some(relayed) = self.client.relayed().next() else { return 2 };
                let mapped = self.client.mapped().unwrap_or(relayed);
                Ends::of(&picortc::env::TransportContext::udp(relayed, mapped)).to_octets(&mut self.path);
                1
            }
            Some(Event::Failed(code)) => {
                self.info[0] = code.map_or(0, u32::from);
                2
            }
            Some(Event::Lost) => 3,
            None => 0,
        }
    }

    /// When to call `handle_timeout`, in milliseconds; negative for never.
    pub fn poll_timeout(&self) -> f64 {
        self.client.poll_timeout().map_or(-1.0, crate::millis)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: f64) {
        self.client.handle_timeout(&mut Env::new(instant(now), &mut self.rng));
    }

    /// Gives the allocation back: `poll_write` says so to the server.
    pub fn release(&mut self) {
        self.client.release();
    }
}

impl core::fmt::Debug for Relay {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.client.fmt(f)
    }
}
