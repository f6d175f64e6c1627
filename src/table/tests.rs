//! How tables look.

use super::{Look, Table};

#[test]
fn columns_are_as_wide_as_their_widest_cell_and_nothing_is_cut() {
    let long = "x".repeat(300);
    let mut table = Table::new(["NAME", "HEALTH"]);
    table.row(["港".to_owned(), "Healthy".to_owned()]);
    table.row([String::new(), long.clone()]);
    assert_eq!(table.render(Look::default()), format!("NAME   HEALTH\n港     Healthy\n-      {long}\n"));
}

#[test]
fn j3_a_cell_cannot_paint_or_break_the_table() {
    let mut table = Table::new(["NAME"]);
    table.row(["a\u{1b}[31m\nb".to_owned()]);
    assert_eq!(table.render(Look::default()), "NAME\na[31m b\n");
}

#[test]
fn colour_repeats_what_the_word_says() {
    let mut table = Table::new(["HEALTH"]);
    table.row(["Degraded".to_owned()]);
    assert_eq!(table.render(Look { colour: true, wide: false }), "HEALTH\n\u{1b}[31mDegraded\u{1b}[0m\n");
}

#[test]
fn wide_columns_show_only_when_asked_for() {
    let mut table = Table::new(["NAME"]).wide(["ID"]);
    table.row(["a".to_owned(), "1".to_owned()]);
    assert_eq!(table.render(Look::default()), "NAME\na\n");
    assert_eq!(table.render(Look { colour: false, wide: true }), "NAME   ID\na      1\n");
}
