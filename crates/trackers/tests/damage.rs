//! Event files against flipped bits and lost ends: told, or what was recorded before the damage.
#![allow(clippy::unwrap_used)]

use pupila_trackers::{Event, TensorBoard, Tracker, read_board};
use std::fs;

#[test]
fn flips_and_cuts_of_an_event_file_are_told_or_leave_a_whole_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let mut board = TensorBoard::create(folder.path(), Vec::new()).unwrap();
    for step in 1..20u64 {
        let values = vec![("train/loss".to_owned(), 1.0 / step as f64), ("val/accuracy".to_owned(), 0.5)];
        board.record(1e9, &Event::Scalars { epoch: step as u32, step, values }).unwrap();
        board.record(1e9, &Event::Text { tag: "said".into(), step, markdown: format!("of {step}") }).unwrap();
    }
    drop(board);
    let path = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&path).unwrap();
    let events = read_board(folder.path()).unwrap();
    assert!(events.len() > 40);
    let mut word = 3u64;
    let mut draw = |most: usize| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (word >> 33) as usize % most
    };
    for _ in 0..2000 {
        let mut bytes = whole.clone();
        let (at, bit) = (draw(bytes.len()), draw(8));
        bytes[at] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();
        let error = read_board(folder.path()).expect_err(&format!("bit {bit} of byte {at} is another"));
        assert!(error.to_string().contains("is damaged"), "{error}");
    }
    let mut whole_beginnings = 0;
    for len in (0..2000).map(|at| at % whole.len()) {
        fs::write(&path, &whole[..len]).unwrap();
        // Where the end is that of a record, nothing tells that more was to come, as in a run that was ended there.
        if let Ok(read) = read_board(folder.path()) {
            assert!(events.starts_with(&read), "cut to {len}");
            whole_beginnings += 1;
        }
    }
    assert!(whole_beginnings < 60, "{whole_beginnings}");
}
