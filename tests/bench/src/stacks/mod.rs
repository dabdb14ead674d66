//! The stacks behind one small trait, so that one harness drives them all.

#[cfg(feature = "peers")]
pub mod dcsctp;
pub mod ours;
#[cfg(feature = "peers")]
pub mod seed;
#[cfg(feature = "peers")]
pub mod str0m;

/// Virtual time, in microseconds.
pub type Micros = u64;

/// What was read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Got {
    pub messages: u64,
    pub octets: u64,
}

/// One end of a connection with one data channel.
pub trait End {
    /// Takes a datagram.
    fn handle_read(&mut self, now: Micros, datagram: &mut [u8]);
    /// Writes the next datagram to `buf`; its length.
    fn poll_write(&mut self, now: Micros, buf: &mut [u8]) -> Option<usize>;
    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    fn poll_timeout(&mut self) -> Option<Micros>;
    /// Does what is due.
    fn handle_timeout(&mut self, now: Micros);
    /// Handles events, and takes all messages that are there.
    fn read(&mut self, now: Micros) -> Got;
    /// Whether the channel is open.
    fn is_open(&self) -> bool;
    /// Sends a message; `false` when there is no room for it.
    fn write(&mut self, now: Micros, message: &[u8]) -> bool;
}

/// Two ends that have negotiated.
pub type Ends = [Box<dyn End>; 2];

/// What a pair is made of.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How much the application has buffered at most, in octets.
    pub buffer: usize,
    /// Memory preset of ours.
    pub limits: Limits,
}

/// Memory presets, for the stacks that know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limits {
    Tiny,
    Default,
    Server,
    /// Room for very many short messages.
    Crowd,
}

/// A stack that can be measured.
#[derive(Clone, Copy)]
pub struct Stack {
    pub name: &'static str,
    /// What it is, for the report.
    pub about: &'static str,
    /// Makes two ends that have negotiated, without delay.
    pub pair: fn(&Options) -> Ends,
    /// SCTP without ICE and DTLS.
    pub sctp_only: bool,
}

/// All of them; ours first.
pub fn all() -> Vec<Stack> {
    vec![
        ours::STACK,
        ours::STACK_12,
        ours::STACK_SNAP,
        #[cfg(feature = "aws-lc")]
        ours::STACK_AWS_LC,
        #[cfg(feature = "aws-lc")]
        ours::STACK_AWS_LC_12,
        #[cfg(feature = "peers")]
        str0m::STACK,
        #[cfg(feature = "peers")]
        str0m::STACK_SMALL,
        #[cfg(feature = "peers")]
        str0m::STACK_SNAP,
        #[cfg(feature = "peers")]
        seed::STACK,
        ours::STACK_SCTP,
        #[cfg(feature = "peers")]
        dcsctp::STACK,
    ]
}

/// Repeatable noise that does not compress: splitmix64.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
