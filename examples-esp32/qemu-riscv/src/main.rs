//! The example device on QEMU's RISC-V `virt` machine.
#![no_std]
#![no_main]

mod executors;
mod time;
mod virtio;

use crate::virtio::{Buffers, Virtio};
use embassy_net::{DhcpConfig, Stack, StackResources};
use embedded_alloc::LlffHeap;
use picortc_embassy::{Config, Resources, Rtc, Runner, Worker};
use picortc_example_app::{Board, HttpBuffers, Site, serve_http, serve_peers};
use picortc_example_qemu::{Options, QemuBoard, config, die, heap, seed, start_console};
use static_cell::{ConstStaticCell, StaticCell};

const PEERS: usize = 2;

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();
static WORKER: Worker = Worker::new();

#[riscv_rt::entry]
fn main() -> ! {
    heap!();
    time::start();
    start_console();
    static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers::new());
    let Some(driver) = Virtio::start(BUFFERS.take()) else { die("there is no virtio-net device") };
    let [.., last, least] = driver.mac();
    log::info!("picortc on virt, {last:02x}{least:02x}");

    let spawner = executors::in_interrupt();
    static BOARD: StaticCell<QemuBoard> = StaticCell::new();
    let board = BOARD.init(QemuBoard::new("riscv-virt", &HEAP));
    static STACK: StaticCell<StackResources<8>> = StaticCell::new();
    let net = embassy_net::Config::dhcpv4(DhcpConfig::default());
    let noise = u64::from_le_bytes(seed()[..8].try_into().unwrap_or_default());
    let (stack, net) = embassy_net::new(driver, net, STACK.init(StackResources::new()), noise);
    static RESOURCES: ConstStaticCell<Resources<PEERS, 8192>> = ConstStaticCell::new(Resources::new());
    let config = Config { worker: Some(&WORKER), ..config() };
    log::info!("identity {}", config.certificate.fingerprint());
    let (rtc, runner) = picortc_embassy::new(stack, RESOURCES.take(), config);
    static SITE: StaticCell<Site<'static>> = StaticCell::new();
    let site = SITE.init(Site::new(rtc, board.name(), Options::read().pin));
    static HTTP: ConstStaticCell<[HttpBuffers; 2]> = ConstStaticCell::new([const { HttpBuffers::new() }; 2]);
    let [first, second] = HTTP.take();

    let mut ok = spawn(spawner, net_task(net)) && spawn(spawner, rtc_task(runner));
    ok &= spawn(spawner, http_task(stack, site, first)) && spawn(spawner, http_task(stack, site, second));
    for _ in 0..PEERS {
        ok &= spawn(spawner, peer_task(rtc, board));
    }
    ok &= spawn(spawner, address_task(rtc));
    if !ok {
        die("there is no room for the tasks");
    }
    // SAFETY: everything is in place, and no critical section is on.
    unsafe {
        riscv::register::mie::set_msoft();
        riscv::register::mie::set_mtimer();
        riscv::register::mie::set_mext();
        riscv::interrupt::enable();
    }
    executors::run(|spawner| {
        if !spawn(spawner, worker_task()) {
            die("there is no room for the worker");
        }
    })
}

#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineSoft)]
fn on_software() {
    executors::on_interrupt();
}

#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineTimer)]
fn on_timer() {
    time::on_alarm();
}

#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineExternal)]
fn on_external() {
    Virtio::on_interrupt();
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    semihosting::eprintln!("{info}");
    die("panic")
}

fn spawn<S>(
    spawner: embassy_executor::Spawner,
    task: Result<embassy_executor::SpawnToken<S>, embassy_executor::SpawnError>,
) -> bool {
    task.map(|token| spawner.spawn(token)).is_ok()
}

#[embassy_executor::task]
async fn net_task(mut net: embassy_net::Runner<'static, Virtio>) -> ! {
    net.run().await
}

#[embassy_executor::task]
async fn rtc_task(mut runner: Runner<'static>) -> ! {
    runner.run().await
}

#[embassy_executor::task(pool_size = 2)]
async fn http_task(
    stack: Stack<'static>,
    site: &'static Site<'static>,
    buffers: &'static mut HttpBuffers,
) -> ! {
    serve_http(stack, site, buffers).await
}

#[embassy_executor::task(pool_size = PEERS)]
async fn peer_task(rtc: Rtc<'static>, board: &'static QemuBoard) -> ! {
    serve_peers(rtc, board).await
}

#[embassy_executor::task]
async fn worker_task() -> ! {
    WORKER.run().await
}

/// Says where the page is.
#[embassy_executor::task]
async fn address_task(rtc: Rtc<'static>) {
    let addr = rtc.wait_for_address().await;
    log::info!("the page is at http://{addr}/");
}
