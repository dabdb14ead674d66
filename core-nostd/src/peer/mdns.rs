//! Candidates that hide their address behind a name of multicast DNS
//! (draft-ietf-mmusic-mdns-ice-candidates): the peer's, which are looked up,
//! and our own, which are published.

use super::connection::RTCPeerConnection;
use crate::env::{Env, Instant};
use crate::ice;
use crate::mdns::{Error, Lookup, Mdns, Ownership};
use crate::mem::{FixedVec, OutOfMemory};
use crate::wire::candidate::{Candidate, CandidateAddress, CandidateType};
use crate::wire::dns::UuidName;
use core::net::IpAddr;

/// Of the peer's candidates so many may be names.
const MAX_NAMES: usize = 8;

/// What is done with candidates that are names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MulticastDnsMode {
    /// Those of the peer are passed over.
    Disabled,
    /// Those of the peer are looked up.
    #[default]
    QueryOnly,
    /// Host candidates of our own are names, too: the peer, and whoever
    /// carries the signalling, does not see our addresses.
    QueryAndGather,
}

/// Candidates of the peer whose address is not known yet.
#[derive(Debug)]
pub(super) struct Names {
    waiting: FixedVec<Named>,
    /// How many of them were told by
    /// [`poll_hidden_name`](RTCPeerConnection::poll_hidden_name).
    told: usize,
}

#[derive(Debug)]
struct Named {
    name: UuidName,
    port: u16,
    priority: u32,
    kind: CandidateType,
    foundation: heapless::String<32>,
}

impl Names {
    pub(super) fn new(mode: MulticastDnsMode, limits: &ice::Limits) -> Result<Self, OutOfMemory> {
        let capacity = if mode == MulticastDnsMode::Disabled { 0 } else { Self::capacity(limits) };
        Ok(Self { waiting: FixedVec::new(capacity)?, told: 0 })
    }

    pub(super) const fn heap_bytes(limits: &ice::Limits) -> usize {
        FixedVec::<Named>::heap_bytes(Self::capacity(limits))
    }

    const fn capacity(limits: &ice::Limits) -> usize {
        if limits.remote_candidates < MAX_NAMES { limits.remote_candidates } else { MAX_NAMES }
    }

    /// What is waited for belongs to a generation that is over.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.told = 0;
    }

    /// Takes in a candidate of the peer: a name waits, everything else is for
    /// ICE.
    ///
    /// "ICE agents SHOULD NOT resolve mDNS names if they are not in the format
    /// defined": a peer is not to make us look for our printer.
    pub(super) fn take(&mut self, ice: &mut ice::Agent, env: &mut Env<'_>, candidate: &Candidate<'_>) {
        let name = match candidate.address {
            CandidateAddress::Name(name) if candidate.tcp_type.is_none() && candidate.component == 1 => {
                UuidName::parse(name)
            }
            _ => None,
        };
        if let (Some(name), Ok(foundation)) = (name, candidate.foundation.try_into()) {
            let Candidate { port, priority, kind, .. } = *candidate;
            if self.waiting.iter().any(|n| n.name == name && n.port == port) {
                return;
            }
            if self.waiting.push(Named { name, port, priority, kind, foundation }).is_ok() {
                return ice.expect_hidden_candidate(env);
            }
        }
        ice.add_remote_candidate(env, candidate);
    }
}

impl RTCPeerConnection {
    /// The next name that a candidate of the peer hides behind, each told
    /// once. Whoever can find out its address tells it by
    /// [`RTCEvent::HiddenNameResolved`](super::RTCEvent::HiddenNameResolved). With an
    /// [`Mdns`], [`handle_mdns`](Self::handle_mdns) does both.
    pub fn poll_hidden_name(&mut self) -> Option<UuidName> {
        let named = self.names.waiting.get(self.names.told)?;
        self.names.told += 1;
        Some(named.name)
    }

    /// Lets `mdns` look up the peer's candidates, and publish our own with
    /// [`MulticastDnsMode::QueryAndGather`]. Call it whenever something
    /// happened to either; it costs little when there is nothing to do. One
    /// [`Mdns`] serves any number of connections.
    ///
    /// # Errors
    /// [`Error::Full`] when there is no room for a name of ours: the peer will
    /// not find that candidate.
    pub fn handle_mdns(&mut self, now: Instant, mdns: &mut Mdns) -> Result<(), Error> {
        self.tick(now);
        self.publish_names(mdns)?;
        let mut index = 0;
        while let Some(named) = self.names.waiting.get(index) {
            // "An ICE agent SHOULD ignore candidates where the hostname
            // resolution returns more than one IP address."
            let addr = match mdns.lookup(self.now, &named.name.to_text()) {
                Ok(Lookup::Found([addr])) => Some(*addr),
                Ok(Lookup::Found(_) | Lookup::NotFound) => None,
                // For want of room it is asked for later.
                Ok(Lookup::Asking) | Err(_) => {
                    index += 1;
                    continue;
                }
            };
            let name = named.name;
            self.hidden_name_resolved(name, addr);
            self.progress();
        }
        Ok(())
    }

    fn publish_names(&mut self, mdns: &mut Mdns) -> Result<(), Error> {
        for candidate in self.ice.local_candidates() {
            let Some(name) = candidate.name.filter(|_| candidate.kind == CandidateType::Host) else {
                continue;
            };
            if candidate.alive && !self.closing {
                mdns.publish(self.now, &name.to_text(), candidate.base.ip(), Ownership::Random)?;
            } else if !self.ice.local_candidates().iter().any(|c| c.alive && c.name == Some(name))
                || self.closing
            {
                mdns.unpublish(self.now, &name.to_text());
            }
        }
        Ok(())
    }

    /// The address of a name, or that there is none.
    pub(super) fn hidden_name_resolved(&mut self, name: UuidName, addr: Option<IpAddr>) {
        let env = &mut Env::new(self.now, &mut self.rng);
        while let Some(index) = self.names.waiting.iter().position(|n| n.name == name) {
            let Some(named) = self.names.waiting.remove(index) else { return };
            if index < self.names.told {
                self.names.told -= 1;
            }
            let text = name.to_text();
            let candidate = Candidate {
                foundation: &named.foundation,
                component: 1,
                tcp_type: None,
                priority: named.priority,
                address: addr.map_or(CandidateAddress::Name(&text), CandidateAddress::Ip),
                port: named.port,
                kind: named.kind,
                related: None,
                ufrag: None,
            };
            self.ice.add_remote_candidate(env, &candidate);
        }
    }
}
