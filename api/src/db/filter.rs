//! The conditions of a list. Fragments are literals of this crate; whatever a person typed is bound (FAULTS J5).

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow};

use super::{Conn, Result};
use crate::selector::{Expression, Operator, Selector};

/// A `select` that grows.
#[derive(Debug)]
pub(super) struct Filter {
    sql: String,
    bound: Vec<Bound>,
    any: bool,
}

#[derive(Debug)]
pub(super) enum Bound {
    Text(String),
    Int(i64),
}

impl From<&str> for Bound {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Bound {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Bound {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl Filter {
    pub(super) fn new(select: &'static str) -> Self {
        Self { sql: select.to_owned(), bound: Vec::new(), any: false }
    }

    /// Adds a condition; each `?` is the next of the values.
    pub(super) fn and(&mut self, condition: &'static str, values: impl IntoIterator<Item = Bound>) {
        self.sql.push_str(if self.any { " and " } else { " where " });
        self.any = true;
        self.push(condition, values);
    }

    fn push(&mut self, fragment: &str, values: impl IntoIterator<Item = Bound>) {
        let mut values = values.into_iter();
        for piece in fragment.split_inclusive('?') {
            match piece.strip_suffix('?').zip(values.next()) {
                Some((before, value)) => {
                    self.bound.push(value);
                    self.sql.push_str(before);
                    self.sql.push('$');
                    self.sql.push_str(&self.bound.len().to_string());
                }
                None => self.sql.push_str(piece),
            }
        }
    }

    /// Adds a selector over a cluster's labels; the cluster's id is `c.id`.
    pub(super) fn and_selected(&mut self, selector: &Selector) {
        for term in selector.terms() {
            self.and_term(&term);
        }
    }

    fn and_term(&mut self, term: &Expression) {
        let negated = matches!(term.operator, Operator::NotIn | Operator::DoesNotExist);
        let opening = if negated {
            "not exists (select 1 from cluster_labels l where l.cluster = c.id and l.key = ?"
        } else {
            "exists (select 1 from cluster_labels l where l.cluster = c.id and l.key = ?"
        };
        self.and(opening, [term.key.as_str().into()]);
        if !term.values.is_empty() {
            let marks = vec!["?"; term.values.len()].join(",");
            self.push(&format!(" and l.value in ({marks})"), term.values.iter().map(|v| v.as_str().into()));
        }
        self.sql.push(')');
    }

    /// Ends it with an order and a limit, and reads the rows.
    pub(super) async fn fetch<R>(mut self, conn: &mut Conn, order: &'static str, limit: i64) -> Result<Vec<R>>
    where
        R: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        self.push(&format!(" order by {order} limit ?"), [limit.into()]);
        let mut query = sqlx::query_as(AssertSqlSafe(self.sql)).persistent(false);
        for value in self.bound {
            query = match value {
                Bound::Text(text) => query.bind(text),
                Bound::Int(number) => query.bind(number),
            };
        }
        query.fetch_all(conn).await
    }
}
