//! Lists, item by item: a page as bytes and one item as a value are in memory, not a page as values.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::api::{ApiServer, Ask};
use super::resource::{Resource, segment};
use super::trouble::Trouble;

/// Objects on one page of metadata, and the most of a kind that are shown.
const PAGE: usize = 500;
const MOST: usize = 20_000;

/// Shows the metadata of every object of a kind, whatever its namespace; says whether that were all.
pub(super) async fn walk(
    api: &ApiServer,
    resource: &Resource,
    mut item: impl FnMut(&Value),
) -> Result<bool, Trouble> {
    let (mut seen, mut next) = (0, String::new());
    loop {
        let path = format!("{}?limit={PAGE}&continue={}", resource.collection(None), segment(&next));
        let answer = api.send(Ask::list(path).metadata_only(true)).await?;
        let more = read_page(&answer.body, |object| {
            seen += 1;
            item(object);
        })?;
        match more {
            None => return Ok(true),
            Some(_) if seen >= MOST => return Ok(false),
            Some(token) => next = token,
        }
    }
}

/// Shows each item, and returns the token of the next page. A page that is not a list at all - an aggregated API that is
/// broken answers with nothing (FAULTS F2) - is trouble, not an empty list.
pub fn read_page(body: &[u8], mut item: impl FnMut(&Value)) -> Result<Option<String>, Trouble> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let page = Page { item: &mut item }.deserialize(&mut reader);
    let (kind, had_items, next) = page
        .and_then(|page| reader.end().map(|()| page))
        .map_err(|_| Trouble::Garbage(format!("{} bytes that are no list", body.len())))?;
    if !had_items || !kind.ends_with("List") {
        return Err(Trouble::Garbage("no list where one was asked for".to_owned()));
    }
    Ok(next.filter(|token| !token.is_empty()))
}

struct Page<'a> {
    item: &'a mut dyn FnMut(&Value),
}

/// The list's kind, whether it has items at all, and the token of the next page.
type Read = (String, bool, Option<String>);

impl<'de> DeserializeSeed<'de> for Page<'_> {
    type Value = Read;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Read, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Page<'_> {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Read, A::Error> {
        let (mut kind, mut had_items, mut next) = (String::new(), false, None);
        while let Some(field) = fields.next_key::<String>()? {
            match field.as_str() {
                "kind" => kind = fields.next_value()?,
                "metadata" => {
                    let metadata: Value = fields.next_value()?;
                    next = metadata.get("continue").and_then(Value::as_str).map(str::to_owned);
                }
                "items" => {
                    fields.next_value_seed(Items { item: &mut *self.item })?;
                    had_items = true;
                }
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok((kind, had_items, next))
    }
}

struct Items<'a> {
    item: &'a mut dyn FnMut(&Value),
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the items of a list")
    }

    /// No items in a list of metadata are `null`.
    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<Value>()? {
            (self.item)(&item);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_is_shown_and_the_next_page_named() {
        let body =
            br#"{"kind":"PodList","items":[{"a":1},{"a":2}],"x":{"y":[]},"metadata":{"continue":"n"}}"#;
        let mut seen = Vec::new();
        let next = read_page(body, |item| seen.push(item["a"].as_i64())).unwrap();
        assert_eq!((seen, next.as_deref()), (vec![Some(1), Some(2)], Some("n")));
        for none in ["[]", "null"] {
            let body = format!(r#"{{"kind":"PodList","metadata":{{}},"items":{none}}}"#);
            assert_eq!(read_page(body.as_bytes(), |_| ()).unwrap(), None);
        }
    }

    /// The corpus of the fuzz target: a page cut anywhere is no page.
    #[test]
    fn b12_a_page_that_is_cut_anywhere_is_trouble() {
        let body = br#"{"kind":"PodList","items":[{"a":"\u00e9"},[null]],"metadata":{"continue":"n"}}"#;
        assert!(read_page(body, |_| ()).is_ok());
        for end in 0..body.len() {
            assert!(read_page(&body[..end], |_| ()).is_err(), "{end}");
        }
    }

    #[test]
    fn f2_what_is_no_list_is_not_an_empty_one() {
        for body in [
            "",
            "{}",
            "[]",
            "<html>",
            r#"{"kind":"PodList"}"#,
            r#"{"kind":"Status","items":[]}"#,
            r#"{"kind":"PodList","items":{}}"#,
        ] {
            assert!(read_page(body.as_bytes(), |_| ()).is_err(), "{body}");
        }
    }
}
