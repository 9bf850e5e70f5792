//! Where two JSON values differ, by JSON pointer.
//!
//! Elements of two lists that are equal stand for each other, wherever they stand: one element put in before six is one
//! difference, not seven.

use serde::Serialize;
use serde_json::{Map, Value};

use super::align;
use crate::base::canon::pointer_part;

/// One place in which two values differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Where: in the declared value, or in the found one if it stands only there.
    pub pointer: String,
    /// Where it stands in the found value, if that is another place: elements before it were put in or taken out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_at: Option<String>,
    /// What stands there on the one side; absent if nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<Value>,
    /// What stands there on the other side; absent if nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Value>,
}

/// Every place in which the two differ, as deep as possible, in the order of the pointers' parts. `at` is the pointer of
/// both.
pub fn differences(at: &str, declared: &Value, found: &Value) -> Vec<Difference> {
    let mut all = Vec::new();
    walk(PointerPair { declared: at, found: at }, Some(declared), Some(found), &mut all);
    all
}

/// The places of two values that stand for each other.
#[derive(Clone, Copy)]
struct PointerPair<'p> {
    declared: &'p str,
    found: &'p str,
}

fn walk(at: PointerPair<'_>, declared: Option<&Value>, found: Option<&Value>, all: &mut Vec<Difference>) {
    match (declared, found) {
        (Some(a), Some(b)) if a == b => {}
        (Some(Value::Object(a)), Some(Value::Object(b))) if !stand_for_different_things(a, b) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))).collect();
            names.sort();
            for name in names {
                let part = pointer_part(name);
                let (of_a, of_b) = (format!("{}/{part}", at.declared), format!("{}/{part}", at.found));
                walk(PointerPair { declared: &of_a, found: &of_b }, a.get(name), b.get(name), all);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for (n, m) in align::pairs(a, b) {
                let of_a = n.map(|n| format!("{}/{n}", at.declared));
                let of_b = m.map(|m| format!("{}/{m}", at.found));
                let (Some(of_a), Some(of_b)) =
                    (of_a.as_deref().or(of_b.as_deref()), of_b.as_deref().or(of_a.as_deref()))
                else {
                    continue;
                };
                walk(
                    PointerPair { declared: of_a, found: of_b },
                    n.and_then(|n| a.get(n)),
                    m.and_then(|m| b.get(m)),
                    all,
                );
            }
        }
        (declared, found) => {
            let pointer = if declared.is_some() { at.declared } else { at.found };
            let found_at =
                (declared.is_some() && found.is_some() && at.declared != at.found).then(|| at.found.to_owned());
            let (declared, found) = (declared.cloned(), found.cloned());
            all.push(Difference { pointer: pointer.to_owned(), found_at, declared, found });
        }
    }
}

/// Names that make an object of one member stand for something else in declarations of other systems (SPEC 8.5).
const STANDS_FOR: [&str; 9] = ["digest", "folder", "in", "json", "none", "number", "per_run", "unknown", "value"];

/// Whether one of two objects stands for something, as `{"unknown": true}` does, and the other for something of another kind or
/// for itself: then they differ as a whole, and not in members that one has and the other has not.
fn stand_for_different_things(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    let only = |members: &Map<String, Value>| members.keys().next().filter(|_| members.len() == 1).cloned();
    let stands = |name: &Option<String>| name.as_deref().is_some_and(|name| STANDS_FOR.contains(&name));
    let (a, b) = (only(a), only(b));
    a != b && (stands(&a) || stands(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_stands_for_other_things_differs_as_a_whole() {
        let places = |a: Value, b: Value| -> Vec<String> {
            differences("/p", &a, &b).into_iter().map(|one| one.pointer).collect()
        };
        assert_eq!(places(json!({"none": true}), json!({"digest": "x"})), ["/p"]);
        assert_eq!(places(json!({"unknown": true}), json!({"a": 1, "b": 2})), ["/p"]);
        assert_eq!(places(json!({"digest": "x"}), json!({"digest": "y"})), ["/p/digest"]);
        assert_eq!(places(json!({"a": 1}), json!({"b": 1})), ["/p/a", "/p/b"]);
    }

    #[test]
    fn every_difference_has_its_own_pointer() {
        let a = json!({"x": [1, {"y/z": "a"}], "only": true, "same": null});
        let b = json!({"x": [1, {"y/z": "b"}, 3], "same": null, "type": {}});
        let found: Vec<String> = differences("/p", &a, &b).into_iter().map(|one| one.pointer).collect();
        assert_eq!(found, ["/p/only", "/p/type", "/p/x/1/y~1z", "/p/x/2"]);
        assert_eq!(differences("", &a, &a), []);
        let whole = differences("", &json!({}), &json!([]));
        let one =
            Difference { pointer: String::new(), found_at: None, declared: Some(json!({})), found: Some(json!([])) };
        assert_eq!(whole, [one]);
    }

    #[test]
    fn what_is_put_in_or_taken_out_of_a_list_moves_nothing_else() {
        let list = |texts: &[&str]| json!({"l": texts.iter().map(|text| json!({"text": text})).collect::<Vec<_>>()});
        let six = list(&["a", "b", "c", "d", "e", "f"]);
        let put_in = differences("", &six, &list(&["new", "a", "b", "c", "d", "e", "f"]));
        assert_eq!(put_in.len(), 1, "{put_in:?}");
        assert_eq!((put_in[0].pointer.as_str(), &put_in[0].declared), ("/l/0", &None));
        let taken_out = differences("", &six, &list(&["a", "b", "d", "e", "f"]));
        assert_eq!(taken_out.len(), 1, "{taken_out:?}");
        assert_eq!((taken_out[0].pointer.as_str(), &taken_out[0].found), ("/l/2", &None));
        // One is put in before, and another one changes: its places differ.
        let both = differences("", &six, &list(&["new", "a", "b", "c", "other", "e", "f"]));
        let places: Vec<_> = both.iter().map(|one| (one.pointer.as_str(), one.found_at.as_deref())).collect();
        assert_eq!(places, [("/l/0", None), ("/l/3/text", Some("/l/4/text"))]);
        // An order is part of what a list says.
        assert_eq!(differences("", &json!([1, 2]), &json!([2, 1])).len(), 2);
    }
}
