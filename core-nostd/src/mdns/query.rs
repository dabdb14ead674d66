//! Names that are asked for, and what was answered.

use super::respond::Published;
use super::{Addresses, Error, HostName, Interfaces, Mdns, host_name, take_lowest, without};
use crate::env::{Instant, Transmit};
use crate::wire::dns::{Builder, Data, Message, RecordType, Section};
use core::net::IpAddr;
use core::time::Duration;

/// How often a name is asked for before it counts as unknown: in 18 seconds.
/// Chromium sends no more than one answer a second, and was seen to take nine
/// for a name.
const QUESTIONS: u32 = 5;
/// "the interval between the first two queries MUST be at least one second,
/// the intervals between successive queries MUST increase by at least a factor
/// of two" (RFC 6762, Section 5.2).
const FIRST_INTERVAL: Duration = Duration::from_secs(1);
/// How long an answer to the last question is waited for.
const LAST_WAIT: Duration = Duration::from_secs(3);
/// No answer is kept for longer: "The RECOMMENDED TTL value for Multicast DNS
/// resource records with a host name ... is 120 seconds."
const MAX_TTL: u32 = 120;
/// For how long it is remembered that nobody knows a name.
const ABSENCE: Duration = Duration::from_secs(5);

/// What is known of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// It is being asked for.
    Asking,
    /// Its addresses, at least one.
    Found(&'a [IpAddr]),
    /// Nobody answered.
    NotFound,
}

/// A name that somebody wanted to know.
#[derive(Debug)]
pub(super) struct Asked {
    name: HostName,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Asked `sent` times; `due` has the interfaces on which a question is to
    /// be sent, and `next` when that is to be done again.
    Asking { sent: u32, due: Interfaces, next: Instant },
    /// Answered.
    Found { addresses: Addresses, until: Instant },
    /// Nobody answered.
    NotFound { until: Instant },
}

impl Asked {
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Asking { next, .. } => Some(next),
            // What is over is found out when it is asked for.
            State::Found { .. } | State::NotFound { .. } => None,
        }
    }

    pub(super) fn interface_added(&mut self, bit: Interfaces) {
        if let State::Asking { due, .. } = &mut self.state {
            *due |= bit;
        }
    }

    pub(super) fn interface_removed(&mut self, index: usize) {
        if let State::Asking { due, .. } = &mut self.state {
            *due = without(*due, index);
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        match self.state {
            State::Asking { .. } => false,
            State::Found { until, .. } | State::NotFound { until } => until <= now,
        }
    }

    /// When its answer came to an end or will; questions have none.
    fn until(&self) -> Option<Instant> {
        match self.state {
            State::Asking { .. } => None,
            State::Found { until, .. } | State::NotFound { until } => Some(until),
        }
    }
}

impl Mdns {
    /// What `name` means, as far as is known; asks for it when nothing is.
    /// [`Event::LookupChange`](super::Event::LookupChange) says when to look
    /// again. Names of our own are known.
    ///
    /// # Errors
    /// [`Error`].
    pub fn lookup(&mut self, now: Instant, name: &str) -> Result<Lookup<'_>, Error> {
        self.tick(now);
        let name = host_name(name)?;
        let own = self.published.iter().position(|p| p.is(&name) && p.known_addresses().is_some());
        if let Some(own) = own {
            let addresses = self.published.get(own).and_then(Published::known_addresses);
            return Ok(Lookup::Found(addresses.unwrap_or_default()));
        }
        let known = self.asked.iter().position(|a| a.name.eq_ignore_ascii_case(&name));
        let index = match known {
            Some(index) if self.asked.get(index).is_some_and(|a| !a.is_over(now)) => index,
            Some(index) => {
                self.asked.swap_remove(index);
                self.ask(name)?
            }
            None => self.ask(name)?,
        };
        Ok(match self.asked.get(index).map(|a| &a.state) {
            Some(State::Found { addresses, .. }) => Lookup::Found(addresses),
            Some(State::NotFound { .. }) => Lookup::NotFound,
            Some(State::Asking { .. }) | None => Lookup::Asking,
        })
    }

    fn ask(&mut self, name: HostName) -> Result<usize, Error> {
        if self.asked.is_full() {
            let answered = self.asked.iter().enumerate().filter_map(|(i, a)| Some((a.until()?, i)));
            let (_, oldest) = answered.min().ok_or(Error::Full)?;
            self.asked.swap_remove(oldest);
        }
        let state = State::Asking { sent: 0, due: 0, next: self.now };
        self.asked.push(Asked { name, state }).map_err(|_| Error::Full)?;
        self.expire_queries();
        Ok(self.asked.len() - 1)
    }

    pub(super) fn expire_queries(&mut self) {
        let (now, all) = (self.now, self.all_interfaces());
        for asked in self.asked.iter_mut() {
            let State::Asking { sent, due, next } = &mut asked.state else { continue };
            if *next > now {
                continue;
            }
            if *sent < QUESTIONS {
                *next = match *sent + 1 {
                    QUESTIONS => now + LAST_WAIT,
                    _ => now + FIRST_INTERVAL * (1 << *sent),
                };
                *due = all;
                *sent += 1;
            } else {
                asked.state = State::NotFound { until: now + ABSENCE };
                self.lookups_changed = true;
            }
        }
    }

    /// A question for addresses of both kinds.
    ///
    /// It does not ask for an answer by unicast: where several programs share
    /// port 5353 only one of them would get it (RFC 6762, Section 15.1).
    pub(super) fn poll_query(&mut self, buf: &mut [u8]) -> Option<Transmit> {
        for asked in self.asked.iter_mut() {
            let State::Asking { due, .. } = &mut asked.state else { continue };
            while let Some(index) = take_lowest(due) {
                let Some(interface) = self.interfaces.get(index) else { continue };
                let mut write = || {
                    let mut b = Builder::query(buf, 0)?;
                    b.question(&asked.name, RecordType::A, false)?;
                    b.question(&asked.name, RecordType::AAAA, false)?;
                    Ok::<_, crate::wire::ShortBuffer>(b.finish())
                };
                // Into a buffer that is too short nothing can be asked.
                return Some(Transmit::datagram(interface.multicast(), write().ok()?));
            }
        }
        None
    }

    pub(super) fn handle_response(&mut self, from: IpAddr, message: &Message<'_>) {
        let now = self.now;
        let mut wanted = false;
        for (section, record) in message.records() {
            if record.ttl == 0 || section == Section::Authority {
                continue;
            }
            let Data::Address(ip) = record.data else { continue };
            self.look_for_conflict(&record.name, ip);
            let ip = ip.to_canonical();
            // Nobody else can tell us what our own loopback is.
            if ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() && !from.is_loopback() {
                continue;
            }
            let Some(asked) = self.asked.iter_mut().find(|a| record.name.is(&a.name)) else { continue };
            match &mut asked.state {
                State::Asking { .. } => {
                    wanted = true;
                    let mut addresses = Addresses::new();
                    // There is room for one.
                    let _ = addresses.push(ip);
                    let until = now + Duration::from_secs(record.ttl.min(MAX_TTL).into());
                    asked.state = State::Found { addresses, until };
                    self.lookups_changed = true;
                }
                // The other addresses in the message that answered.
                State::Found { addresses, .. } if wanted && !addresses.contains(&ip) => {
                    let _ = addresses.push(ip);
                }
                State::Found { .. } | State::NotFound { .. } => {}
            }
        }
        if !wanted {
            self.counters.unsolicited += 1;
        }
    }
}
