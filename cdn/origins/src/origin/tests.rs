use cdn::{Digest, Key};

use super::{Origin, url};

fn check(text: &str, expected: &str) {
    let shown = Origin::parse(text).map_or_else(|error| error.to_string(), |origin| origin.to_string());
    assert!(shown.starts_with(expected), "{text}: {shown}");
}

#[test]
fn one_place_has_one_spelling() {
    check("https://CDN.example.com:443/fleet/", "https://cdn.example.com/fleet");
    check("http://127.0.0.1:8080", "http://127.0.0.1:8080");
    check("https://[2001:db8::1]/x", "https://[2001:db8::1]/x");
    check("file:///media/usb", "/media/usb");
    check("/media/usb", "/media/usb");
    assert_eq!(Origin::parse("https://a/").unwrap(), Origin::parse("https://A:443").unwrap());
}

#[test]
fn what_is_no_origin_is_refused_without_repeating_a_credential() {
    for text in [
        "",
        "cdn.example.com",
        "ftp://host/x",
        "file://relative",
        "https://",
        "https:///x",
        "https://host:99999/x",
        "https://host:+443",
        "https://host:",
        "https://host[:1:],:80x",
        "https://[host]/x",
        "relative/folder",
    ] {
        assert!(Origin::parse(text).is_err(), "{text}");
    }
    for text in ["https://user:hunter2@host/x", "https://host/x?token=hunter2", "https://host/#hunter2"] {
        let error = Origin::parse(text).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_document_cannot_name_a_folder() {
    for text in ["/etc", "file:///etc"] {
        assert!(Origin::parse_remote(text).is_err(), "{text}");
    }
}

#[test]
fn a_key_follows_the_base() {
    let key = Key::Object(Digest::of(b"x"));
    assert_eq!(url("http://h/a", &key), format!("http://h/a/v1/o/{}", Digest::of(b"x").hex()));
}

/// The check of a `desired` and the client that then asks must see the same host in one text. The corpus of the fuzz
/// target: every form, cut anywhere, with another behind it.
#[test]
fn b12_an_origin_is_at_the_host_that_its_check_sees() {
    let forms = [
        "https://CDN.example.com:443/fleet/../x",
        "http://[2001:db8::1]:8080/x",
        "https://a@b:c@d\\e/",
        "https://a%2eb;c:80@[::1",
        "file:///media/usb",
        "https://\u{e9}.example/#?",
    ];
    let mut read = 0;
    for (form, other) in forms.iter().flat_map(|form| forms.map(|other| (form, other))) {
        for end in (0..=form.len()).filter(|end| form.is_char_boundary(*end)) {
            let text = format!("{}{other}", &form[..end]);
            let Ok(origin) = Origin::parse(&text) else { continue };
            let shown = origin.to_string();
            assert_eq!(Origin::parse(&shown).as_ref(), Ok(&origin), "{text}");
            if origin.is_remote() {
                let seen = cdn::trust::host_of(&text).map(str::to_ascii_lowercase);
                assert!(seen.is_none() || seen.as_deref() == cdn::trust::host_of(&shown), "{text}");
                read += 1;
            }
        }
    }
    assert!(read > 50, "{read} origins were read");
}
