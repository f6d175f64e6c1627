use super::*;

#[test]
fn without_links_a_new_file_is_whole_keeps_its_mode_and_takes_no_taken_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    create_new(&from, 0o600).and_then(|mut file| file.write_all(b"content")).expect("written");
    copy_new(&from, &to).expect("copied");
    assert_eq!(fs::read(&to).expect("readable"), b"content");
    assert_eq!(fs::metadata(&to).expect("there").permissions().mode() & 0o777, 0o600);
    fs::write(&to, b"theirs").expect("written");
    assert_eq!(copy_new(&from, &to).expect_err("taken").kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&to).expect("readable"), b"theirs");
}
