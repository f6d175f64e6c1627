use super::Location;

fn check(text: &str, expected: &str) {
    let location = text.parse::<Location>();
    assert_eq!(location.map_or_else(|error| error.to_string(), |place| format!("{place:?}")), expected);
}

#[test]
fn a_place_is_a_folder_or_a_bucket() {
    check("/var/lib/store", r#"Directory("/var/lib/store")"#);
    check("file:///srv/store", r#"Directory("/srv/store")"#);
    check("store", r#"Directory("store")"#);
    check("s3://fleet", r#"S3 { bucket: "fleet", prefix: "" }"#);
    check("s3://fleet/a/b/", r#"S3 { bucket: "fleet", prefix: "a/b" }"#);
}

#[test]
fn every_other_place_is_refused_with_the_way_to_write_it() {
    for text in [
        "",
        "s3://",
        "s3://x/y",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "https://host/bucket",
        "s3://buck et/",
    ] {
        let error = text.parse::<Location>().expect_err(text).to_string();
        assert!(error.contains("write a folder such as"), "{text}: {error}");
    }
}
