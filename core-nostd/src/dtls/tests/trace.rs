//! A recorded handshake of a foreign stack (wolfSSL 5.9.4), with its secrets:
//! every derivation and every record must come out as it did there. A wrong
//! label goes unnoticed between two ends of one stack.

use super::super::keys::Suite;
use super::super::record::{Keying, RecordLayer};
use super::super::schedule::{Hkdf, ScheduleSecret};
use crate::crypto::rust_crypto::PROVIDER;
use crate::crypto::{Digest, HashAlgorithm, Secret};
use crate::wire::dtls::{ContentType, UnifiedHeader};
use std::vec::Vec;

fn hex(s: &str) -> Vec<u8> {
    (0..s.len()).step_by(2).map(|i| u8::from_str_radix(&s[i..i + 2], 16).unwrap()).collect()
}

fn trace() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../../tests/vectors/dtls/dtls13_trace.json")).unwrap()
}

fn field(value: &serde_json::Value, name: &str) -> Vec<u8> {
    hex(value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}")))
}

const HKDF: Hkdf = Hkdf { hashes: PROVIDER.hashes, algorithm: HashAlgorithm::Sha256 };

fn secret(trace: &serde_json::Value, name: &str) -> ScheduleSecret {
    ScheduleSecret::new(&field(&trace["keylog"], name)).unwrap()
}

fn keying(trace: &serde_json::Value, name: &str, epoch: u64) -> Keying {
    HKDF.keying(Suite::of(0x1301).unwrap(), &secret(trace, name), epoch).unwrap()
}

const SECRETS: [(&str, &str, u64); 4] = [
    ("SERVER_HANDSHAKE_TRAFFIC_SECRET", "s_epoch2", 2),
    ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "c_epoch2", 2),
    ("SERVER_TRAFFIC_SECRET_0", "s_epoch3", 3),
    ("CLIENT_TRAFFIC_SECRET_0", "c_epoch3", 3),
];

#[test]
fn traffic_keys_are_those_of_the_trace() {
    let trace = trace();
    for (secret, keys, epoch) in SECRETS {
        let keying = keying(&trace, secret, epoch);
        let want = &trace["traffic_keys"][keys];
        assert_eq!(keying.key.as_slice(), field(want, "key"), "{keys}");
        assert_eq!(keying.iv[..], field(want, "iv"), "{keys}");
        assert_eq!(keying.number_key.as_ref().map(Secret::as_slice), Some(&field(want, "sn")[..]), "{keys}");
    }
}

#[test]
fn exported_keys_are_those_of_the_trace() {
    let trace = trace();
    let mut out = [0; 56];
    HKDF.export(&secret(&trace, "EXPORTER_SECRET"), b"EXTRACTOR-dtls_srtp", &mut out).unwrap();
    assert_eq!(out[..], field(&trace, "exporter_output"));
}

#[test]
fn every_record_opens_and_is_sealed_alike_and_each_finished_is_right() {
    let trace = trace();
    let layers = ["client->server", "server->client"].map(|direction| {
        let (mut reader, mut writer) =
            (RecordLayer::new(&PROVIDER, None).unwrap(), RecordLayer::new(&PROVIDER, None).unwrap());
        for (secret, _, epoch) in SECRETS {
            if secret.starts_with("CLIENT") == (direction == "client->server") {
                reader.install_read(keying(&trace, secret, epoch)).unwrap();
                writer.install_write(keying(&trace, secret, epoch)).unwrap();
            }
        }
        (direction, reader, writer)
    });
    let [mut to_server, mut to_client] = layers;
    let (mut opened, mut finished, mut hello) = (0, 0, Digest::new());
    // The transcript, without the numbers and fragments of DTLS.
    let mut transcript = Vec::new();
    for datagram in trace["datagrams"].as_array().unwrap() {
        let from_server = datagram["dir"] == to_client.0;
        let (_, reader, writer) = if from_server { &mut to_client } else { &mut to_server };
        let records = datagram["records"].as_array().unwrap();
        assert_eq!(records.len(), 1);
        let want = &records[0];
        let original = field(datagram, "datagram");
        let mut record = original.clone();
        let open = reader.open(&mut record).expect("every record is authentic");
        let plaintext = &record[open.body.clone()];
        assert_eq!(plaintext, field(want, "plaintext"));
        assert_eq!(
            (open.epoch, open.sequence),
            (want["epoch"].as_u64().unwrap(), want["seq"].as_u64().unwrap())
        );
        if open.epoch > 0 {
            opened += 1;
            assert_eq!(u64::from(open.content_type.0), want["inner_type"].as_u64().unwrap());
            let mut sealed = std::vec![0; UnifiedHeader::LEN];
            sealed.extend(plaintext);
            sealed.extend([0; 17]);
            assert_eq!(writer.seal(open.epoch, open.content_type, &mut sealed), Some(open.sequence));
            assert_eq!(sealed, original, "the same octets come out");
            let mut again = original.clone();
            assert!(reader.open(&mut again).is_err(), "it is a replay");
        }
        if open.content_type != ContentType::HANDSHAKE {
            continue;
        }
        if plaintext[0] == 20 {
            let name = if from_server { SECRETS[0].0 } else { SECRETS[1].0 };
            let hash = PROVIDER.hashes.hash(HashAlgorithm::Sha256, &[&transcript]).unwrap();
            assert_eq!(HKDF.finished(&secret(&trace, name), &hash).unwrap()[..], plaintext[12..]);
            finished += 1;
        }
        transcript.extend(&plaintext[..4]);
        transcript.extend(&plaintext[12..]);
        if hello.is_empty() {
            // The trace has a HelloRetryRequest: the first hello is replaced.
            hello = PROVIDER.hashes.hash(HashAlgorithm::Sha256, &[&transcript]).unwrap();
            transcript = [&[254, 0, 0, 32][..], &hello].concat();
        }
    }
    assert_eq!((opened, finished), (13, 2));
}
