//! Descriptions of many kinds of senders, read whole. The files are other
//! people's and not part of this repository: without them nothing is tested,
//! and the test says so.

use picortc::peer::jsep::{Jsep, Limits, RTCSdpType};
use picortc::wire::sdp::Description;
use std::fs;
use std::path::{Path, PathBuf};

/// The files of a folder of vectors, by name; `None` when it is not there.
fn files(folder: &str) -> Option<Vec<(PathBuf, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors").join(folder);
    let Ok(entries) = fs::read_dir(&root) else {
        println!("skipped: {} is not there", root.display());
        return None;
    };
    let mut found: Vec<_> = entries
        .map(|e| e.expect("a directory entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == "sdp"))
        .map(|p| (p.clone(), String::from_utf8_lossy(&fs::read(p).expect("a readable file")).into_owned()))
        .collect();
    found.sort();
    Some(found)
}

#[test]
fn descriptions_of_many_senders_parse() {
    let Some(files) = files("sdp/sdp-transform") else { return };
    assert!(files.len() >= 25, "{} files", files.len());
    for (path, text) in files {
        let d = Description::parse(&text, 16).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let lines = text.lines().filter(|l| l.starts_with("m=")).count();
        assert_eq!(d.medias().count(), lines, "{}", path.display());
        let attributes = d.attributes().count() + d.medias().map(|m| m.attributes().count()).sum::<usize>();
        let lines = text.lines().filter(|l| l.starts_with("a=")).count();
        assert_eq!(attributes, lines, "{}", path.display());
    }
}

#[test]
fn fuzzers_seeds_are_taken_or_refused() {
    let Some(files) = files("corpora/libwebrtc/sdp-corpus") else { return };
    let mut taken = 0;
    for (path, text) in files {
        let mut jsep = Jsep::new(Limits::DEFAULT, 1).expect("memory");
        match jsep.set_remote(RTCSdpType::Offer, &text) {
            Ok(_) => taken += 1,
            Err(error) => println!("{}: {error}", path.display()),
        }
    }
    assert!(taken > 0, "all were refused");
}
