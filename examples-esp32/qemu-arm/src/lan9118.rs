//! A driver for SMSC's LAN9118, for embassy-net.

use core::ptr::{read_volatile, write_volatile};
use core::task::Context;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;

const BASE: usize = 0x4020_0000;
/// Its interrupt's number.
pub const IRQ: u8 = 13;
const MTU: usize = 1514;

static WAKER: AtomicWaker = AtomicWaker::new();

/// Registers, by their offset.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Reg {
    RxData = 0x00,
    TxData = 0x20,
    RxStatus = 0x40,
    TxStatus = 0x48,
    IrqCfg = 0x54,
    IntStatus = 0x58,
    IntEnable = 0x5c,
    FifoInt = 0x68,
    TxCfg = 0x70,
    RxFifoInf = 0x7c,
    TxFifoInf = 0x80,
    MacCommand = 0xa4,
    MacData = 0xa8,
}

/// An interrupt when a frame has come, and when the PHY has something to say.
const RX_STATUS_LEVEL: u32 = 1 << 3;
const PHY: u32 = 1 << 18;

fn read(reg: Reg) -> u32 {
    // SAFETY: a register of the controller; no other driver touches it.
    unsafe { read_volatile((BASE + reg as usize) as *const u32) }
}

fn write(reg: Reg, value: u32) {
    // SAFETY: as above.
    unsafe { write_volatile((BASE + reg as usize) as *mut u32, value) }
}

fn mac_command(command: u32) {
    write(Reg::MacCommand, command | 1 << 31);
    while read(Reg::MacCommand) & 1 << 31 != 0 {}
}

fn mac_read(index: u32) -> u32 {
    mac_command(index | 1 << 30);
    read(Reg::MacData)
}

fn mac_write(index: u32, value: u32) {
    write(Reg::MacData, value);
    mac_command(index);
}

/// MAC registers.
const CONTROL: u32 = 1;
const ADDR_HIGH: u32 = 2;
const ADDR_LOW: u32 = 3;
const MII_ACCESS: u32 = 6;
const MII_DATA: u32 = 7;

fn phy_read(index: u32) -> u32 {
    mac_write(MII_ACCESS, 1 << 11 | index << 6 | 1);
    mac_read(MII_DATA)
}

fn phy_write(index: u32, value: u32) {
    mac_write(MII_DATA, value);
    mac_write(MII_ACCESS, 1 << 11 | index << 6 | 3);
}

/// PHY registers.
const BASIC_STATUS: u32 = 1;
const INTERRUPT_SOURCE: u32 = 29;
const INTERRUPT_MASK: u32 = 30;

/// The controller.
pub struct Lan9118 {
    mac: [u8; 6],
    rx: [u8; MTU + 6],
    tx: [u8; MTU + 2],
}

impl Lan9118 {
    /// Starts it. The interrupt may be unmasked afterwards, not before: until
    /// then its line is active low.
    pub fn start() -> Self {
        let (low, high) = (mac_read(ADDR_LOW).to_le_bytes(), mac_read(ADDR_HIGH).to_le_bytes());
        write(Reg::FifoInt, 0);
        write(Reg::TxCfg, 1 << 1);
        // Receive and transmit; all multicast.
        mac_write(CONTROL, 1 << 2 | 1 << 3 | 1 << 19);
        // Link down, and negotiation done.
        phy_write(INTERRUPT_MASK, 1 << 4 | 1 << 6);
        // Enabled, active high, push-pull.
        write(Reg::IrqCfg, 1 << 8 | 1 << 4 | 1);
        write(Reg::IntEnable, RX_STATUS_LEVEL | PHY);
        let mac = [low[0], low[1], low[2], low[3], high[0], high[1]];
        Self { mac, rx: [0; MTU + 6], tx: [0; MTU + 2] }
    }

    /// Its interrupt: masked until the driver has looked.
    pub fn on_interrupt() {
        write(Reg::IntEnable, 0);
        WAKER.wake();
    }

    pub fn mac(&self) -> [u8; 6] {
        self.mac
    }

    /// The next frame that came without an error, in `self.rx`.
    fn next_frame(&mut self) -> Option<usize> {
        while read(Reg::RxFifoInf) >> 16 & 0xff != 0 {
            let status = read(Reg::RxStatus);
            let len = (status >> 16 & 0x3fff) as usize;
            for at in (0..len).step_by(4) {
                let word = read(Reg::RxData).to_le_bytes();
                let end = self.rx.len().min(at + 4);
                if at < end {
                    self.rx[at..end].copy_from_slice(&word[..end - at]);
                }
            }
            // The last four octets are the checksum.
            if status & 1 << 15 == 0 && (18..=MTU + 4).contains(&len) {
                return Some(len - 4);
            }
        }
        None
    }
}

pub struct Received<'a>(&'a mut [u8]);
pub struct Room<'a>(&'a mut [u8]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let done = f(&mut self.0[..len]);
        // The first and last segment, and the frame's length.
        write(Reg::TxData, 1 << 13 | 1 << 12 | len as u32);
        write(Reg::TxData, len as u32);
        for word in self.0[..len.next_multiple_of(4)].chunks_exact(4) {
            write(Reg::TxData, u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        }
        done
    }
}

impl Driver for Lan9118 {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Received<'_>, Room<'_>)> {
        WAKER.register(cx.waker());
        let Some(len) = self.next_frame() else {
            write(Reg::IntStatus, RX_STATUS_LEVEL | PHY);
            write(Reg::IntEnable, RX_STATUS_LEVEL | PHY);
            return None;
        };
        Some((Received(&mut self.rx[..len]), Room(&mut self.tx)))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Room<'_>> {
        // The emulated controller sends at once: there is always room.
        while read(Reg::TxFifoInf) >> 16 & 0xff != 0 {
            read(Reg::TxStatus);
        }
        Some(Room(&mut self.tx))
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        phy_read(INTERRUPT_SOURCE); // which clears it
        if phy_read(BASIC_STATUS) & 1 << 2 != 0 { LinkState::Up } else { LinkState::Down }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = MTU;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.mac)
    }
}
