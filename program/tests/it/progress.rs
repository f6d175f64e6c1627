//! Plain lines where no bar can be drawn.

use program::progress::{Lines, Progress, Silent, size};

#[test]
fn steps_are_lines_and_bytes_do_not_flood() {
    let mut out = Vec::new();
    {
        let lines = Lines::to(&mut out);
        let work: &dyn Progress = &lines;
        work.step("clone https://git.example/fleet");
        for done in 0..1_000 {
            work.bytes(done, Some(1_000));
        }
        work.finish("cloned 1.0 kB");
    }
    assert_eq!(String::from_utf8(out).unwrap(), "clone https://git.example/fleet\ncloned 1.0 kB\n");
    Silent.step("nothing");
}

#[test]
fn sizes_are_read_by_people() {
    let sizes = [0, 999, 1_000, 1_550, 13_400_000, 2_000_000_000].map(size);
    assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "1.5 kB", "13.4 MB", "2.0 GB"]);
}
