//! Where two JSON values differ, by JSON pointer.

use serde::Serialize;
use serde_json::Value;

use crate::base::canon::pointer_part;

/// One place in which two values differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Where.
    pub pointer: String,
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
    walk(at, Some(declared), Some(found), &mut all);
    all
}

fn walk(at: &str, declared: Option<&Value>, found: Option<&Value>, all: &mut Vec<Difference>) {
    match (declared, found) {
        (Some(a), Some(b)) if a == b => {}
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))).collect();
            names.sort();
            for name in names {
                walk(&format!("{at}/{}", pointer_part(name)), a.get(name), b.get(name), all);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for n in 0..a.len().max(b.len()) {
                walk(&format!("{at}/{n}"), a.get(n), b.get(n), all);
            }
        }
        (declared, found) => {
            let (declared, found) = (declared.cloned(), found.cloned());
            all.push(Difference { pointer: at.to_owned(), declared, found });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_difference_has_its_own_pointer() {
        let a = json!({"x": [1, {"y/z": "a"}], "only": true, "same": null});
        let b = json!({"x": [1, {"y/z": "b"}, 3], "same": null, "type": {}});
        let found: Vec<String> = differences("/p", &a, &b).into_iter().map(|one| one.pointer).collect();
        assert_eq!(found, ["/p/only", "/p/type", "/p/x/1/y~1z", "/p/x/2"]);
        assert_eq!(differences("", &a, &a), []);
        let whole = differences("", &json!({}), &json!([]));
        assert_eq!(whole, [Difference { pointer: String::new(), declared: Some(json!({})), found: Some(json!([])) }]);
    }
}
