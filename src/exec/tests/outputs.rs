//! The outputs file, which a job may misuse, and the copy of standard output.

use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

#[tokio::test]
async fn outputs_are_read_once_and_removed() {
    let mut bench = Bench::processes();
    let order = bench.order(1, script("echo size=7 >> 1.outputs; printf 'b\\377' >> 1.outputs; exit 3"));
    let ending = bench.run(order).await;
    assert_eq!(
        (ending.exit, ending.outputs.as_str(), ending.outputs_cut),
        (code(3), "size=7\nb\u{fffd}", false)
    );
    assert!(!bench.path("1.outputs").exists());
    let order = bench.order(2, exec(&["true"]));
    assert_eq!(bench.run(order).await.outputs, "");
    let order = Start { outputs: PathBuf::new(), ..bench.order(3, exec(&["true"])) };
    assert_eq!(bench.run(order).await.outputs, "");
}

#[tokio::test]
async fn only_a_file_counts() {
    let mut bench = Bench::processes();
    std::fs::write(bench.path("target"), "secret=1").unwrap();
    symlink(bench.path("target"), bench.path("1.outputs")).unwrap();
    fifo(&bench.path("2.outputs"));
    for number in [1, 2] {
        let order = bench.order(number, exec(&["true"]));
        let outputs = order.outputs.clone();
        let ending = bench.run(order).await;
        assert_eq!((ending.outputs.as_str(), ending.outputs_cut), ("", false));
        assert!(outputs.symlink_metadata().is_err(), "{number} is gone");
    }
    assert!(bench.path("target").exists());
    let order = bench.order(3, script("mkdir 3.outputs"));
    assert_eq!(bench.run(order).await.outputs, "");
}

#[tokio::test]
async fn only_a_mebibyte_is_kept() {
    let mut bench = Bench::processes();
    for (number, size, is_cut) in [(1, 1 << 20, false), (2, (1 << 20) + 1, true), (3, 50_000_000, true)] {
        let order = bench.order(number, script(&format!("truncate -s {size} {number}.outputs")));
        let ending = bench.run(order).await;
        assert_eq!((ending.outputs.len(), ending.outputs_cut), (1 << 20, is_cut));
    }
}

#[tokio::test]
async fn standard_output_is_copied_byte_for_byte() {
    let mut bench = Bench::processes();
    let copy = bench.path("copy");
    std::fs::write(&copy, "what an earlier attempt has left there").unwrap();
    std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o600)).unwrap();
    let text = r"printf 'a\377\000b'; printf err >&2";
    let order = Start { stdout: Stdout::LogAnd(copy.clone()), ..bench.order(1, script(text)) };
    let ending = bench.run(order).await;
    assert_eq!((ending.exit, ending.lines.len()), (code(0), 0));
    assert_eq!(std::fs::read(&copy).unwrap(), b"a\xff\0b");
    assert_eq!(bench.log(1).len(), 7);
}

#[tokio::test]
async fn a_copy_goes_through_no_link() {
    let mut bench = Bench::processes();
    symlink(bench.path("target"), bench.path("copy")).unwrap();
    let stdout = Stdout::LogAnd(bench.path("copy"));
    let order = Start { stdout, ..bench.order(1, script("echo x")) };
    let Exit::NotSpawned { message, .. } = bench.run(order).await.exit else { panic!("it ran") };
    let file = bench.path("copy");
    assert!(
        message.starts_with(&format!("the file `{}` for its standard output", file.display())),
        "{message}"
    );
    assert!(!bench.path("target").exists());
}
