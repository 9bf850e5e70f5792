//! "Did you mean …?"

/// How many suggestions are made at most.
const MOST: usize = 3;
/// Names longer than this are not compared: it would cost more than it helps.
const LONGEST_BYTES: usize = 128;

/// The known names that `found` is probably meant to be, best first, at most three.
pub fn close_to<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    if found.len() > LONGEST_BYTES {
        return Vec::new();
    }
    let allowed = (found.chars().count() / 3).clamp(1, 4);
    let lower = found.to_lowercase();
    let mut scored: Vec<(usize, &str)> = known
        .into_iter()
        .filter(|name| name.len() <= LONGEST_BYTES && name.len().abs_diff(found.len()) <= 32)
        .filter_map(|name| {
            let name_lower = name.to_lowercase();
            let distance = edit_distance(&lower, &name_lower);
            // A name of which no letter is left is another name.
            if distance <= allowed && distance < lower.chars().count() {
                return Some((distance, name));
            }
            // A beginning or an ending of a longer id is a likely slip as well.
            let is_part = lower.len() >= 4 && (name_lower.starts_with(&lower) || name_lower.ends_with(&lower));
            is_part.then_some((allowed + 1, name))
        })
        .collect();
    scored.sort();
    if let Some((best, _)) = scored.first().copied() {
        // A part of a long name is no rival of a slip of one letter.
        scored.retain(|(distance, _)| *distance <= best + 1 && (best > allowed || *distance <= allowed));
    }
    scored.truncate(MOST);
    scored.into_iter().map(|(_, name)| name).collect()
}

/// "did you mean `a` or `b`?", or `otherwise` if no known name is close.
pub fn hint_for<'a>(found: &str, known: impl IntoIterator<Item = &'a str>, otherwise: &str) -> String {
    let close: Vec<String> = close_to(found, known).into_iter().map(|name| format!("`{name}`")).collect();
    if close.is_empty() { otherwise.to_owned() } else { format!("did you mean {}?", close.join(" or ")) }
}

/// How many slips lie between two names, letter case aside.
pub fn slips(a: &str, b: &str) -> usize {
    if a.len().max(b.len()) > LONGEST_BYTES {
        return usize::MAX;
    }
    edit_distance(&a.to_lowercase(), &b.to_lowercase())
}

/// Levenshtein's distance, with the exchange of two neighbours as one step.
fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = last;
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["profiles", "plan_id", "registry_id", "lanes"];
        assert_eq!(close_to("profile", known), ["profiles"]);
        assert_eq!(close_to("porfiles", known), ["profiles"]);
        assert_eq!(close_to("PLAN_ID", known), ["plan_id"]);
        assert!(close_to("zebra", known).is_empty());
        assert!(close_to("", known).is_empty());
        assert!(close_to("-", ["q", "qq"]).is_empty());
        assert_eq!(close_to("qq", ["q", "-"]), ["q"]);
        assert_eq!(edit_distance("ab", "ba"), 1);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(hint_for("lane", known, "x"), "did you mean `lanes`?");
        assert_eq!(hint_for("zebra", known, "remove it"), "remove it");
    }
}
