//! Output that cannot be written is an error; output that nobody wants any more is none.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Sandbox, skin};
use std::fs::File;
use std::process::{Command, Stdio};

/// Runs it with a standard output that is full.
fn into_a_full_disk(command: &mut Command) -> (Option<i32>, String) {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ran = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
    (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
}

#[test]
fn a_full_disk_is_an_error_in_every_command() {
    let sandbox = Sandbox::new();
    let skin = skin();
    let data = skin.to_str().unwrap();
    for name in ["s0", "s1"] {
        assert_eq!(sandbox.train(&skin, name, &["--seed", name.strip_prefix('s').unwrap()]).code, Some(0));
    }
    let small = ["--size", "8", "--set", "model.hidden=[]"];
    let train = [&["train", data, "--epochs", "1"], &small[..]].concat();
    let bench = [&["bench", "--steps", "1", "--batch", "2"], &small[..]].concat();
    let commands: [&[&str]; 10] = [
        &["predict", "runs/s0", data],
        &["eval", "runs/s0"],
        &train,
        &["runs"],
        &["compare", "runs/s0", "runs/s1"],
        &["list", "models"],
        &["list", "keys"],
        &bench,
        &["augment", data, "--out", "a.png"],
        &["study", "regularization", data, "--dry-run"],
    ];
    for command in commands {
        for json in [&[][..], &["--json"]] {
            let arguments = [command, json].concat();
            let (code, said) = into_a_full_disk(&mut sandbox.command(&arguments));
            assert_eq!(code, Some(1), "{arguments:?}: {said}");
            assert!(
                said.contains("error: cannot write to standard output: No space left"),
                "{arguments:?}: {said}"
            );
        }
    }
    for alone in [&["schema"][..], &["--help"], &["train", "--help"], &["--version"]] {
        let (code, said) = into_a_full_disk(&mut sandbox.command(alone));
        assert!(code == Some(1) && said.contains("cannot write to standard output"), "{alone:?}: {said}");
    }
    let (code, said) = into_a_full_disk(&mut sandbox.command(&["list", "modles"]));
    assert!(code == Some(2) && !said.contains("cannot write"), "a mistake stays one: {said}");
    let file = sandbox.run(&["predict", "runs/s0", data, "--csv", "/dev/full"]);
    assert!(file.code == Some(1) && file.stderr.contains("cannot write /dev/full"), "{}", file.stderr);
}

#[test]
fn a_closed_pipe_is_none() {
    let sandbox = Sandbox::new();
    for arguments in
        [&["schema"][..], &["list", "transforms"], &["list", "transforms", "--json"], &["--help"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = sandbox.command(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{arguments:?}");
        assert!(ran.stderr.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}
