use super::raised;

fn check(line: &str, expected: Option<(&str, &str)>) {
    let expected = expected.map(|(from, to)| (from.to_owned(), to.to_owned()));
    assert_eq!(raised(line), expected, "{line}");
}

#[test]
fn only_a_tag_that_ends_in_a_number_is_raised() {
    check("        image: example.com/web:1.4.2", Some(("example.com/web:1.4.2", "example.com/web:1.4.3")));
    check("- image: \"web:v9\" # soon", Some(("web:v9", "web:v10")));
    check("image: example.com:5000/web", None);
    check("image: web:latest", None);
    check("image: \"{{ .Values.image }}:1\"", None);
    check("imagePullPolicy: Always:1", None);
    check("  containers: [{name: crew, image: \"crew:1.0.0\"}]", Some(("crew:1.0.0", "crew:1.0.1")));
    check("- {name: web, image: web:7, tty: true}", Some(("web:7", "web:8")));
    check("# image: web:7", None);
    check("baseimage: web:7", None);
}
