//! What holds for every input.

use cdn::ct1::{self, Files};
use cdn::{Bundle, Digest, Limits, Object, json};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn objects() -> impl Strategy<Value = Vec<Object>> {
    let one = ("[a-z]{1,8}", prop::option::of("[a-z]{1,8}"), value()).prop_map(|(name, namespace, data)| {
        let mut object = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data});
        if let Some(namespace) = namespace {
            object["metadata"]["namespace"] = namespace.into();
        }
        Object::from_value(&object).unwrap()
    });
    prop::collection::btree_map("[a-z]{3}", one, 0..12)
        .prop_map(|map| {
            map.into_values().map(|o| (o.id().clone(), o)).collect::<std::collections::BTreeMap<_, _>>()
        })
        .prop_map(|map| map.into_values().collect())
}

proptest! {
    #[test]
    fn canonical_json_is_its_own_canonical_form(value in value()) {
        let bytes = json::canonical(&value);
        let back = json::parse(&bytes, 64).unwrap();
        prop_assert_eq!(json::canonical(&back), bytes);
    }

    #[test]
    fn b11_any_order_of_the_same_objects_is_the_same_digest((mut objects, seed) in (objects(), any::<u64>())) {
        let tar = Bundle::new(objects.clone()).unwrap().pack().unwrap();
        let length = objects.len().max(1);
        objects.rotate_left(usize::try_from(seed % length as u64).unwrap());
        objects.reverse();
        let again = Bundle::new(objects.clone()).unwrap().pack().unwrap();
        prop_assert_eq!(Digest::of(&tar), Digest::of(&again));
        let back = Bundle::read(&tar, Limits::DEFAULT).unwrap();
        prop_assert_eq!(back.len(), objects.len());
        prop_assert_eq!(back.pack().unwrap(), tar);
    }

    #[test]
    fn b12_no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        drop(ct1::read(bytes.as_slice(), Limits::DEFAULT).collect::<Result<Files, _>>());
        drop(json::parse(&bytes, 64));
        drop(Bundle::read(&bytes, Limits::DEFAULT));
    }

    #[test]
    fn whatever_is_read_packs_to_the_same_bytes(cut in 0usize..4096, bit in 0u8..8, objects in objects()) {
        let mut tar = Bundle::new(objects).unwrap().pack().unwrap();
        let at = cut % tar.len();
        tar[at] ^= 1 << bit;
        if let Ok(bundle) = Bundle::read(&tar, Limits::DEFAULT) {
            prop_assert_eq!(bundle.pack().unwrap(), tar);
        }
    }
}
