//! From the parser's events to one JSON value: aliases written out within bounds, merge keys as go-yaml v2 merges,
//! duplicate keys refused.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Value};

use super::scalar::{self, Tag};
use super::{Cost, YamlLimits, YamlRefused};

/// Reads one document; none if it is empty or null.
pub(super) fn read(text: &str, limits: YamlLimits, spent: &mut Cost) -> Result<Option<Value>, YamlRefused> {
    let options = granit_parser::options! {
        disallow_directives: true,
        emit_comments: false,
        flow_nesting_limit: limits.depth,
        block_nesting_limit: limits.depth,
    };
    let mut tree = Tree::new(limits, *spent);
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| YamlRefused::new(error.marker().line(), error.info()))?;
        tree.take(event).map_err(|why| YamlRefused::new(line(span), tree.placed(&why)))?;
    }
    *spent = tree.spent;
    Ok(tree.root.filter(|value| !value.is_null()))
}

fn line(span: Span) -> usize {
    span.start.line().max(1)
}

/// A value and what it costs to write it out once more.
struct Node {
    value: Value,
    cost: Cost,
}

/// A collection that is still open.
struct Frame {
    anchor: usize,
    before: Cost,
    open: Open,
}

enum Open {
    List(Vec<Value>),
    Mapping(Mapping),
}

#[derive(Default)]
struct Mapping {
    map: Map<String, Value>,
    /// Keys written here, as against those that a merge brought.
    written: BTreeSet<String>,
    key: Option<Key>,
}

enum Key {
    Name(String),
    Merge,
}

struct Tree {
    limits: YamlLimits,
    spent: Cost,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Value>,
    documents: usize,
}

impl Tree {
    fn new(limits: YamlLimits, spent: Cost) -> Self {
        let (frames, anchors) = (Vec::new(), HashMap::new());
        Self { limits, spent, frames, anchors, root: None, documents: 0 }
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(word, style, anchor, tag) => {
                let before = self.spent;
                let at_key = self.at_key();
                self.spend(1, word.len())?;
                if at_key && (tag.is_some() || style == ScalarStyle::Plain) && scalar::is_fraction(&word) {
                    return Err("a key that kubectl would write otherwise: quote it".to_owned());
                }
                let value = match tag.as_deref().map(known_tag).transpose()? {
                    Some(tag) => scalar::tagged(&word, tag)?,
                    None if style != ScalarStyle::Plain => Value::String(word.into_owned()),
                    None if at_key && word == "<<" => {
                        self.open_merge();
                        return Ok(());
                    }
                    None => scalar::plain(&word)?,
                };
                self.complete(value, anchor, before)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.open(anchor, tag.as_deref(), ("seq", Open::List(Vec::new())))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.open(anchor, tag.as_deref(), ("map", Open::Mapping(Mapping::default())))
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or("an alias lies within what it names: it would never end")?;
                if self.at_key() && !node.value.is_string() {
                    return Err("an alias is a key, and is not text: write the key itself".to_owned());
                }
                let before = self.spent;
                self.spend(node.cost.values, node.cost.text_bytes)?;
                self.complete(node.value.clone(), 0, before)
            }
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    Err("a second document: separate it by `---`".to_owned())
                } else {
                    Ok(())
                }
            }
            Event::UnresolvedAlias(_) => {
                Err("an alias of something that is not there: name what is, or quote the text".to_owned())
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::Comment(..) => Ok(()),
            _ => Err("something that this reader does not know: write it plainer".to_owned()),
        }
    }

    /// Where in the document something is wrong, and what. Keys are said, values are not.
    fn placed(&self, why: &str) -> String {
        let parts = self.frames.iter().map(|frame| match &frame.open {
            Open::List(items) => format!("[{}]", items.len()),
            Open::Mapping(Mapping { key: Some(Key::Name(name)), .. }) => format!(".{name}"),
            Open::Mapping(_) => String::new(),
        });
        let path = parts.collect::<Vec<_>>().concat();
        let path = path.trim_start_matches('.');
        if path.is_empty() {
            why.to_owned()
        } else {
            format!("at `{}`: {why}", crate::words::safe(path, 120))
        }
    }

    fn at_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { open: Open::Mapping(Mapping { key: None, .. }), .. }))
    }

    fn spend(&mut self, values: usize, text_bytes: usize) -> Result<(), String> {
        self.spent.values = self.spent.values.saturating_add(values);
        self.spent.text_bytes = self.spent.text_bytes.saturating_add(text_bytes);
        if self.spent.values > self.limits.values || self.spent.text_bytes > self.limits.text_bytes {
            return Err(
                "what was read so far is too large once its aliases are written out: split the service"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn open(
        &mut self,
        anchor: usize,
        tag: Option<&granit_parser::Tag>,
        (suffix, open): (&str, Open),
    ) -> Result<(), String> {
        if tag.is_some_and(|tag| !tag.is_yaml_core_schema_tag(suffix)) {
            return Err(UNKNOWN_TAG.to_owned());
        }
        if self.at_key() {
            return Err("a list or mapping is a key: JSON has only text".to_owned());
        }
        if self.frames.len() >= self.limits.depth {
            return Err(format!("nested deeper than {} levels", self.limits.depth));
        }
        let before = self.spent;
        self.spend(1, 0)?;
        self.frames.push(Frame { anchor, before, open });
        Ok(())
    }

    fn open_merge(&mut self) {
        if let Some(Frame { open: Open::Mapping(mapping), .. }) = self.frames.last_mut() {
            mapping.key = Some(Key::Merge);
        }
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(frame) = self.frames.pop() else { return Err("an end without a start".to_owned()) };
        let value = match frame.open {
            Open::List(items) => Value::Array(items),
            Open::Mapping(mapping) => Value::Object(mapping.map),
        };
        self.complete(value, frame.anchor, frame.before)
    }

    /// A value is whole: it becomes a key, a mapping's value, a list's item, or the document.
    fn complete(&mut self, value: Value, anchor: usize, before: Cost) -> Result<(), String> {
        if anchor != 0 {
            let cost = Cost {
                values: self.spent.values - before.values,
                text_bytes: self.spent.text_bytes - before.text_bytes,
            };
            // The copy that stays here is paid for too.
            self.spend(cost.values, cost.text_bytes)?;
            self.anchors.insert(anchor, Rc::new(Node { value: value.clone(), cost }));
        }
        match self.frames.last_mut() {
            None => self.root = Some(value),
            Some(Frame { open: Open::List(items), .. }) => items.push(value),
            Some(Frame { open: Open::Mapping(mapping), .. }) => mapping.take(value)?,
        }
        Ok(())
    }
}

impl Mapping {
    fn take(&mut self, value: Value) -> Result<(), String> {
        match self.key.take() {
            None => {
                let key = scalar::key(&value)?;
                if !self.written.insert(key.clone()) {
                    return Err(format!("the key `{key}` is there twice: remove one"));
                }
                self.key = Some(Key::Name(key));
            }
            Some(Key::Name(key)) => {
                self.map.insert(key, value);
            }
            Some(Key::Merge) => self.merge(value)?,
        }
        Ok(())
    }

    /// go-yaml v2 merges where the `<<` stands: keys before it are overwritten, keys behind it overwrite; of several
    /// mappings the first wins.
    fn merge(&mut self, value: Value) -> Result<(), String> {
        let sources = match value {
            Value::Array(items) => items,
            Value::Object(_) => vec![value],
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![Value::Null],
        };
        for source in sources.into_iter().rev() {
            let Value::Object(source) = source else {
                return Err("`<<` merges something that is not a mapping".to_owned());
            };
            self.map.extend(source);
        }
        Ok(())
    }
}

fn known_tag(tag: &granit_parser::Tag) -> Result<Tag, String> {
    match tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() {
        Some("str") => Ok(Tag::Text),
        Some("int") => Ok(Tag::Integer),
        Some("float") => Ok(Tag::Float),
        Some("bool") => Ok(Tag::Bool),
        Some("null") => Ok(Tag::Null),
        Some("binary") => Ok(Tag::Binary),
        Some(_) | None => Err(UNKNOWN_TAG.to_owned()),
    }
}

const UNKNOWN_TAG: &str = "a tag that means nothing to Kubernetes: remove it, or quote the text";
