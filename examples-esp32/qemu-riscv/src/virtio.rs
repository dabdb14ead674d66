//! virtio-net for embassy-net, over the driver of virtio-drivers.

use core::ptr::{NonNull, read_volatile, write_volatile};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::Context;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// The last of the machine's places for devices, and its interrupt.
const BASE: usize = 0x1000_8000;
const IRQ: u32 = 8;
const PLIC: usize = 0x0c00_0000;
const CLAIM: usize = PLIC + 0x20_0004;
/// Where the device says whether the link is up: `virtio_net_config.status`.
const LINK: usize = BASE + 0x100 + 6;
const MTU: usize = 1514;
/// virtio-net's head and a frame.
const BUFFER: usize = 1536;
const QUEUE: usize = 8;

static WAKER: AtomicWaker = AtomicWaker::new();

/// Memory for the queues; addresses are physical ones, and nothing is freed.
struct Memory;

const POOL: usize = 8 * PAGE_SIZE;

#[repr(align(4096))]
#[expect(dead_code, reason = "the device reads and writes it")]
struct Pool([u8; POOL]);

static mut POOL_MEMORY: Pool = Pool([0; POOL]);
static POOL_USED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: pages are given out once each, zeroed, and never overlap.
unsafe impl Hal for Memory {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let from = POOL_USED.load(Ordering::Relaxed);
        let end = from + pages * PAGE_SIZE;
        if end > POOL {
            picortc_example_qemu::die("the pool of the network driver is too small");
        }
        POOL_USED.store(end, Ordering::Relaxed);
        // SAFETY: within the pool.
        let page = unsafe { (&raw mut POOL_MEMORY).cast::<u8>().add(from) };
        (page.addr() as PhysAddr, NonNull::new(page).unwrap_or(NonNull::dangling()))
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        0
    }

    unsafe fn mmio_phys_to_virt(addr: PhysAddr, _: usize) -> NonNull<u8> {
        NonNull::new(addr as usize as *mut u8).unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().as_ptr().addr() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

type Net = VirtIONetRaw<Memory, MmioTransport<'static>, QUEUE>;

/// The buffers that the device writes to, and the one that it reads from.
pub struct Buffers {
    rx: [[u8; BUFFER]; QUEUE / 2],
    tx: [u8; BUFFER],
}

impl Buffers {
    pub const fn new() -> Self {
        Self { rx: [[0; BUFFER]; QUEUE / 2], tx: [0; BUFFER] }
    }
}

/// The controller.
pub struct Virtio {
    net: Net,
    buffers: &'static mut Buffers,
    /// Which buffer each of the queue's tokens stands for.
    tokens: [u8; QUEUE],
    /// The buffer that the stack is reading.
    reading: Option<(u8, usize, usize)>,
    sending: Option<(u16, usize)>,
}

impl Virtio {
    /// Finds and starts the device.
    pub fn start(buffers: &'static mut Buffers) -> Option<Self> {
        let header = NonNull::new(BASE as *mut VirtIOHeader)?;
        // SAFETY: the machine has its devices there.
        let transport = unsafe { MmioTransport::new(header, 0x1000) }.ok()?;
        let mut net = Net::new(transport).ok()?;
        let mut tokens = [0; QUEUE];
        for (index, buffer) in buffers.rx.iter_mut().enumerate() {
            // SAFETY: the buffer lives for ever and is left alone until it
            // comes back.
            let token = unsafe { net.receive_begin(buffer) }.ok()?;
            *tokens.get_mut(usize::from(token))? = index as u8;
        }
        net.enable_interrupts();
        // SAFETY: the interrupt controller's registers for this hart.
        unsafe {
            write_volatile((PLIC + 4 * IRQ as usize) as *mut u32, 1);
            write_volatile((PLIC + 0x2000) as *mut u32, 1 << IRQ);
            write_volatile((PLIC + 0x20_0000) as *mut u32, 0);
        }
        Some(Self { net, buffers, tokens, reading: None, sending: None })
    }

    /// Its interrupt.
    pub fn on_interrupt() {
        // SAFETY: registers of the interrupt controller and of the device.
        unsafe {
            let claimed = read_volatile(CLAIM as *const u32);
            let status = read_volatile((BASE + 0x60) as *const u32);
            write_volatile((BASE + 0x64) as *mut u32, status);
            write_volatile(CLAIM as *mut u32, claimed);
        }
        WAKER.wake();
    }

    pub fn mac(&self) -> [u8; 6] {
        self.net.mac_address()
    }

    /// Gives the buffer that was read back to the device.
    fn give_back(&mut self) {
        if let Some((index, ..)) = self.reading.take()
            && let Some(buffer) = self.buffers.rx.get_mut(usize::from(index))
            // SAFETY: as in `start`.
            && let Ok(token) = unsafe { self.net.receive_begin(buffer) }
            && let Some(slot) = self.tokens.get_mut(usize::from(token))
        {
            *slot = index;
        }
    }

    fn next_frame(&mut self) -> Option<()> {
        self.give_back();
        let token = self.net.poll_receive()?;
        let index = *self.tokens.get(usize::from(token))?;
        let buffer = self.buffers.rx.get_mut(usize::from(index))?;
        // SAFETY: the buffer that was given with this token.
        let (head, len) = unsafe { self.net.receive_complete(token, buffer) }.ok()?;
        self.reading = Some((index, head, len));
        Some(())
    }

    /// Takes back the buffer that was sent.
    fn is_sent(&mut self) -> bool {
        if let Some((token, len)) = self.sending
            && self.net.poll_transmit() == Some(token)
            && let Some(sent) = self.buffers.tx.get(..len)
        {
            // SAFETY: the buffer that was given with this token.
            let _ = unsafe { self.net.transmit_complete(token, sent) };
            self.sending = None;
        }
        self.sending.is_none()
    }
}

pub struct Received<'a>(&'a mut [u8]);
pub struct Room<'a> {
    net: &'a mut Net,
    tx: &'a mut [u8; BUFFER],
    sending: &'a mut Option<(u16, usize)>,
}

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let head = self.net.fill_buffer_header(self.tx).unwrap_or(0);
        let end = head + len;
        let done = f(&mut self.tx[head..end]);
        // SAFETY: the buffer lives for ever and is left alone until it is sent.
        *self.sending = unsafe { self.net.transmit_begin(&self.tx[..end]) }.ok().map(|token| (token, end));
        done
    }
}

impl Driver for Virtio {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Received<'_>, Room<'_>)> {
        WAKER.register(cx.waker());
        if !self.is_sent() {
            return None;
        }
        self.next_frame()?;
        let (index, head, len) = self.reading?;
        let frame = self.buffers.rx.get_mut(usize::from(index))?.get_mut(head..head + len)?;
        let room = Room { net: &mut self.net, tx: &mut self.buffers.tx, sending: &mut self.sending };
        Some((Received(frame), room))
    }

    fn transmit(&mut self, cx: &mut Context<'_>) -> Option<Room<'_>> {
        WAKER.register(cx.waker());
        self.is_sent().then_some(Room {
            net: &mut self.net,
            tx: &mut self.buffers.tx,
            sending: &mut self.sending,
        })
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        // SAFETY: a register of the device.
        let status = unsafe { read_volatile(LINK as *const u16) };
        if status & 1 != 0 { LinkState::Up } else { LinkState::Down }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = MTU;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.mac())
    }
}
