//! Scenario tests of picortc over an emulated network.
