//! How the Wi-Fi boards of `examples-esp32` go into their network: the loop that
//! they run, with a radio that is none.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration as Limit;

thread_local! {
    static CONSOLE: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

macro_rules! info {
    ($($text:tt)*) => { crate::CONSOLE.with_borrow_mut(|lines| lines.push(format!($($text)*))) };
}
macro_rules! warn {
    ($($text:tt)*) => { info!($($text)*) };
}

#[allow(unexpected_cfgs, dead_code, unreachable_pub, reason = "the features are those of the boards' crate")]
#[path = "../../examples-esp32/app/src/wifi.rs"]
mod wifi;

use wifi::{NoNetwork, Station, stay_connected};

/// Answers as it is told, and then not any more.
struct Radio(VecDeque<Result<(), NoNetwork>>);

impl Station for Radio {
    async fn connect(&mut self) -> Result<(), NoNetwork> {
        match self.0.pop_front() {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    async fn lost(&mut self) {}
}

/// The console of a station with such a radio.
fn console(answers: &[Result<(), NoNetwork>]) -> Vec<String> {
    let mut radio = Radio(answers.iter().copied().collect());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let again = embassy_time::Duration::from_millis(1);
    let done = stay_connected(&mut radio, "home", again);
    // It never ends: what is left of it is that it waits for the next attempt.
    let over = runtime.block_on(async { tokio::time::timeout(Limit::from_millis(500), done).await });
    assert!(over.is_err() && radio.0.is_empty(), "{} attempts were not made", radio.0.len());
    CONSOLE.take()
}

#[test]
fn a_wrong_password_is_told_and_tried_again() {
    let lines = console(&[Err(NoNetwork::Refused), Err(NoNetwork::Refused), Ok(())]);
    let refused = "no connection to \"home\": the network does not let this device in; is PASSWORD right?";
    let expected =
        ["connecting to \"home\"", refused, "connecting to \"home\"", refused, "connecting to \"home\""];
    assert_eq!(lines[..5], expected);
    assert_eq!(lines[5], "connected to \"home\"");
}

#[test]
fn a_wrong_name_is_told_and_tried_again() {
    let lines = console(&[Err(NoNetwork::NotFound), Ok(())]);
    assert_eq!(lines[1], "no connection to \"home\": there is no such network here; is SSID right?");
    assert_eq!(lines[3], "connected to \"home\"");
}

#[test]
fn a_network_that_is_gone_is_sought_again() {
    let lines = console(&[Ok(()), Err(NoNetwork::Other("the radio is out of memory")), Ok(())]);
    let gone = "the network \"home\" is gone";
    assert_eq!(lines[1..3], ["connected to \"home\"", gone]);
    assert_eq!(lines[4], "no connection to \"home\": the radio is out of memory");
    assert_eq!(lines[6..8], ["connected to \"home\"", gone]);
}
