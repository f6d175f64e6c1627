use program::observe::Readiness;

use super::*;

fn well() -> End {
    End { reached_store: true, ..End::without_work("published") }
}

fn troubled(service: &str, is_ours: bool) -> End {
    let service = service.parse().expect("a name");
    let trouble = Trouble { service, why: "the store is away".to_owned(), is_ours };
    End { trouble: Some(trouble), ..End::without_work("failed") }
}

/// Whether the program is ready after a pass, and whether all of it works.
fn shown(ends: &[End]) -> (bool, bool) {
    let readiness = Readiness::new();
    let part = readiness.part("publish");
    let mut summary = Summary::default();
    for end in ends {
        summary.add(end);
    }
    summary.show(&part, false);
    (readiness.is_ready(), part.works())
}

#[test]
fn what_the_publisher_itself_lacks_makes_it_unready_and_one_service_does_not() {
    let settled = || End::without_work("unchanged");
    assert_eq!(shown(&[]), (true, true));
    assert_eq!(shown(&[well(), settled()]), (true, true));
    assert_eq!(shown(&[well(), troubled("default/a", false)]), (true, false));
    assert_eq!(shown(&[troubled("default/a", false), troubled("default/b", false)]), (true, false));
    // What was not looked at says nothing of the store.
    assert_eq!(shown(&[settled(), troubled("default/a", true)]), (false, false));
    assert_eq!(shown(&[well(), troubled("default/a", true)]), (true, false));
}

#[test]
fn a_pass_that_still_waits_for_everything_says_nothing_new() {
    let readiness = Readiness::new();
    let part = readiness.part("publish");
    let waiting = Summary { under_way: 1, ..Summary::default() };
    part.not_ready("the store is away");
    waiting.show(&part, false);
    assert!(!readiness.is_ready());
    waiting.show(&part, true);
    assert!(readiness.is_ready() && !part.works());
}
