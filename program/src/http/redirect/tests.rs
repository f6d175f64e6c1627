use ::http::HeaderValue;

use super::*;

fn check(method: &Method, from: &str, location: &'static str) -> Next {
    let headers = HeaderMap::from_iter([(header::LOCATION, HeaderValue::from_static(location))]);
    let from = Url::parse(from).expect("a URL");
    decide(method, &from, StatusCode::FOUND, &headers)
}

fn follow(to: &str) -> Next {
    Next::Follow(Url::parse(to).expect("a URL"))
}

#[test]
fn a_relative_target_stays_at_its_host() {
    assert_eq!(check(&Method::GET, "https://a.example/x/y", "../z"), follow("https://a.example/z"));
}

#[test]
fn c2_https_never_leads_to_http() {
    assert!(matches!(check(&Method::GET, "https://a.example/", "http://a.example/"), Next::Refuse(_)));
    assert_eq!(check(&Method::GET, "http://a.example/", "https://a.example/"), follow("https://a.example/"));
}

#[test]
fn other_schemes_writes_and_user_names_are_refused() {
    for target in ["file:///etc/passwd", "ftp://a.example/", "https://user@a.example/", "https://", "data:,x"]
    {
        assert!(matches!(check(&Method::GET, "https://a.example/", target), Next::Refuse(_)), "{target}");
    }
    assert!(matches!(check(&Method::POST, "https://a.example/", "/there"), Next::Refuse(_)));
}

#[test]
fn a_status_that_only_looks_like_a_redirect_is_the_answer() {
    let from = Url::parse("https://a.example/").expect("a URL");
    let headers = HeaderMap::from_iter([(header::LOCATION, HeaderValue::from_static("/x"))]);
    assert_eq!(decide(&Method::GET, &from, StatusCode::NOT_MODIFIED, &headers), Next::Answer);
    assert_eq!(decide(&Method::GET, &from, StatusCode::FOUND, &HeaderMap::new()), Next::Answer);
}

#[test]
fn c2_another_port_or_scheme_is_another_place() {
    let url = |text| Url::parse(text).expect("a URL");
    assert!(same_place(&url("https://a.example/x"), &url("https://a.example:443/y")));
    assert!(!same_place(&url("https://a.example/"), &url("https://a.example:8443/")));
    assert!(!same_place(&url("http://a.example/"), &url("https://a.example/")));
    assert!(!same_place(&url("https://a.example/"), &url("https://b.a.example/")));
}

#[test]
fn c2_only_harmless_headers_go_to_another_place() {
    let mut secret_accept = HeaderValue::from_static("token");
    secret_accept.set_sensitive(true);
    let headers = HeaderMap::from_iter([
        (header::AUTHORIZATION, HeaderValue::from_static("Bearer x")),
        (header::COOKIE, HeaderValue::from_static("a=b")),
        (header::HeaderName::from_static("x-api-key"), HeaderValue::from_static("k")),
        (header::RANGE, HeaderValue::from_static("bytes=1-")),
        (header::ACCEPT, secret_accept),
    ]);
    let left = harmless(&headers);
    assert_eq!(left.len(), 1);
    assert!(left.contains_key(header::RANGE));
}
